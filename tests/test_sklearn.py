"""scikit-learn's own suite, for what takes feature matrices."""

from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from skasd import (
    FeatureDetector,
    FusionDetector,
    GaussianMixtureDetector,
    MahalanobisDetector,
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
        MahalanobisDetector(),
        NearestNeighborsDetector(),
        NearestNeighborsDetector(metric="cosine"),
        NearestNeighborsDetector(1, density_neighbors=16, shrinkage="oas", log=True),
        PrincipalComponents(n_components=1),
        RepeatedSeedEnsemble(GaussianMixtureDetector(n_components=2), n_repeats=2),
        RepeatedSeedEnsemble(FeatureDetector(), n_repeats=2, normalize=True),
        FusionDetector([("one", FeatureDetector()), ("other", FeatureDetector())]),
    ]
)
def test_estimator_checks(estimator, check):
    # More threads only wait for each other in so small fits.
    with threadpool_limits(1):
        check(estimator)
