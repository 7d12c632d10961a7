"""Lines on a terminal."""

import io

from rich.console import Console

from sda.terminal import print_lines


def test_in_a_terminal_words_stay_whole_and_what_is_pasted_stays_in_one_piece():
    long = "  dropout 0.4, weight_decay 0.05, augmentation_strength 1, gradient_clip_norm 0.5, learning_rate 0.0005"
    command = f"    python train.py resume=/runs/{'deep/' * 20}"
    text = io.StringIO()
    print_lines(Console(file=text, force_terminal=True, width=80), [long, command])
    lines = text.getvalue().splitlines()
    assert [line.rstrip() for line in lines] == [
        "  dropout 0.4, weight_decay 0.05, augmentation_strength 1, gradient_clip_norm",
        "    0.5, learning_rate 0.0005",
        command,
    ]
    written = io.StringIO()
    print_lines(Console(file=written, width=80), [long])
    assert written.getvalue() == f"{long}\n"
