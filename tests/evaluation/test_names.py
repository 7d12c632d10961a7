"""What measures are called in words."""

from sda.evaluation.names import EMBEDDINGS
from sda.evaluation.suite import list_embeddings
from tests.conftest import RATE_HZ


def test_every_embedding_that_likeness_is_judged_by_has_a_name_of_its_own():
    assert list_embeddings(RATE_HZ).keys() <= EMBEDDINGS.keys()
    assert len(set(EMBEDDINGS.values())) == len(EMBEDDINGS)
