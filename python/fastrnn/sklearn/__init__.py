"""Array in, array out: recurrent networks as estimators of scikit-learn."""

try:
    import sklearn  # noqa: F401  its absence is said before any of its parts is asked for
except ImportError as error:
    raise ImportError(
        'fastrnn.sklearn needs scikit-learn; install it with: pip install "fastrnn[sklearn]"'
    ) from error

from fastrnn.sklearn.classifier import RNNClassifier
from fastrnn.sklearn.regressor import RNNRegressor

__all__ = ["RNNClassifier", "RNNRegressor"]
