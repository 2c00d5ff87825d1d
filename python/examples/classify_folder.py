"""Features of a folder of recordings into a classifier of scikit-learn.

    python classify_folder.py MODEL FOLDER      the first folder level names the class, such as the speaker
"""

import pathlib
import sys

import cpc
from cpc.sklearn import CpcFeatures
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main(model, folder):
    files = sorted(path for path in pathlib.Path(folder).rglob("*") if path.suffix in (".flac", ".wav", ".mp3"))
    classes = [path.relative_to(folder).parts[0] for path in files]
    print(f"{len(files)} recordings of {len(set(classes))} classes, cpc {cpc.__version__}")
    features = CpcFeatures(model, pool="mean-std").fit_transform(files)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    scores = cross_val_score(classifier, features, classes, cv=4)
    print(f"accuracy {scores.mean():.3f}, of four folds {', '.join(f'{score:.2f}' for score in scores)}")
    return scores.mean()


if __name__ == "__main__":
    main(*sys.argv[1:])
