"""MatrixFactorization beside Surprise's SVD on ten million synthetic ratings; `bench_sgd.py` says how.

Takes a quarter of an hour, so `make bench-full` runs it, in two parts: SVD with 16 factors, and with 100.
"""

import bench_sgd

if __name__ == "__main__":
    bench_sgd.main(bench_sgd.LARGE)
