"""All that is measured, in one run: ``python -m benchmarks``.

    python -m benchmarks [--only a] [--toycar FOLDER] [--out FOLDER]
    python -m benchmarks --beside OTHER_CHECKOUT [--only a] [--rounds 2] [--out FOLDER]

Writes ``results.md``, a table, and ``results.json`` to the folder, row by row. Every row has a
ratio to a peer or a limit that was measured in the same run, on the machine that the head of the
table describes. It takes about an hour on two cores; keep them free of other work.

====  ======================================================================================
part  what is measured
====  ======================================================================================
a     training of the autoencoder: ours, bare Keras on three backends, scikit-learn, the limit;
      what a step is made of
b     the baseline, IAEO3 and IAEO3+ beside PyOD's `AudioAE`: time, memory, AUC
c     OpenL3 windows per second: ours, onnxruntime
d     IAEO3 for one machine of 1,000 clips, by part; latency of a clip, warm and cold;
      what importing takes; how many threads run
e     growth with clips, with their length, and with machines on Dask
f     AUC and pAUC of every system, with detectors of PyOD at the end of our pipeline
====  ======================================================================================

With ``--beside``, parts a and d are measured of this checkout and of another in turn, and each row
has the ratio of the two; see `benchmarks.beside`. That takes half an hour a checkout and round.
"""

from itertools import chain
from pathlib import Path

from benchmarks import (
    beside,
    end_to_end,
    fleet,
    growth,
    iae_fit,
    imports,
    openl3,
    peers,
    threads,
    toycar,
    training_step,
)
from benchmarks.measure import command_line, report


def main():
    parser = command_line(__doc__)
    parser.add_argument("--only", action="append", choices="abcdef", help="This part; repeatable.")
    parser.add_argument("--toycar", type=Path, help="Toy cars for part f; see benchmarks.toycar.")
    parser.add_argument("--out", type=Path, default=Path(), help="Folder for the results.")
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="Measure it in turn.")
    parser.add_argument("--rounds", type=int, default=2, help="With --beside: runs of each.")
    arguments = parser.parse_args()
    parts = {
        "a": lambda: chain(iae_fit.rows(), training_step.rows()),
        "b": peers.rows,
        "c": openl3.rows,
        "d": lambda: chain(end_to_end.rows(), imports.rows(), threads.rows()),
        "e": lambda: chain(growth.rows(), fleet.rows()),
        "f": lambda: toycar.rows(arguments.toycar),
    }
    if arguments.beside:
        chosen = arguments.only or list(beside.BENCHMARKS)
        if not set(chosen) <= beside.BENCHMARKS.keys():
            parser.error(f"--beside measures parts {' and '.join(beside.BENCHMARKS)} only")
        rows = beside.rows(arguments.beside, chosen, arguments.rounds)
    else:
        rows = chain.from_iterable(parts[part]() for part in arguments.only or parts)
    report(rows, arguments.out)


if __name__ == "__main__":
    main()
