"""scikit-learn's own suite, for what takes feature matrices."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skasd import (
    FeatureDetector,
    GaussianMixtureDetector,
    PrincipalComponents,
    RepeatedSeedEnsemble,
)


@parametrize_with_checks(
    [
        GaussianMixtureDetector(),
        GaussianMixtureDetector(n_components=1, covariance_type="diag"),
        FeatureDetector(),
        PrincipalComponents(n_components=1),
        RepeatedSeedEnsemble(GaussianMixtureDetector(), n_repeats=2),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)
