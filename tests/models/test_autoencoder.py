"""What training asks of a network, and what one says that it cannot do."""

import pytest

from sda.models.mel_vae import MelVAE


def test_a_network_that_is_not_trained_against_discriminators_says_so_by_its_name():
    network = MelVAE(32, 30, latent_dim=4)
    assert not network.writes_waveforms
    with pytest.raises(NotImplementedError, match="MelVAE is not trained against discriminators"):
        network.freeze_encoder()
