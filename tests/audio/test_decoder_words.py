"""The decoder's own lines are kept off the console, and nobody else's."""

import threading
from io import BytesIO

import soundfile

from sda.data.scan import scan_file
from tests.audio.files import ID3V1, encode


def test_the_decoder_says_nothing_on_the_console(tmp_path, capfd):
    """mpg123 writes warnings that name no file; while it does, what others write is seen."""
    damaged = bytearray(encode("MP3"))
    for at in range(800, len(damaged), 97):
        damaged[at] ^= 0x5A
    soundfile.read(BytesIO(bytes(damaged)))
    assert "MPEG" in capfd.readouterr().err, "the damage is not such that the decoder would say something"
    for number in range(8):
        (tmp_path / f"{number}.mp3").write_bytes(damaged + ID3V1)
    threads = [threading.Thread(target=scan_file, args=(tmp_path / f"{number}.mp3",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert capfd.readouterr().err == ""
    soundfile.read(BytesIO(bytes(damaged)))
    assert "MPEG" in capfd.readouterr().err, "what others' C code writes is kept from the console for ever"
