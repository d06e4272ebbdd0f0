"""scikit-learn's own suite, for what takes feature matrices."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skasd import (
    FeatureDetector,
    FusionDetector,
    GaussianMixtureDetector,
    NearestNeighborsDetector,
    PrincipalComponents,
    RepeatedSeedEnsemble,
)


@parametrize_with_checks(
    [
        GaussianMixtureDetector(max_components=2),
        GaussianMixtureDetector(n_components=3, shrinkage="oas"),
        GaussianMixtureDetector(n_components=1, covariance_type="diag", shrinkage=None),
        FeatureDetector(),
        NearestNeighborsDetector(),
        NearestNeighborsDetector(metric="cosine"),
        PrincipalComponents(n_components=1),
        RepeatedSeedEnsemble(GaussianMixtureDetector(n_components=2), n_repeats=2),
        # The suite counts the training clips beyond a threshold that is for new ones. These members
        # score both alike.
        RepeatedSeedEnsemble(FeatureDetector(), n_repeats=2, normalize=True),
        FusionDetector([("one", FeatureDetector()), ("other", FeatureDetector())]),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)
