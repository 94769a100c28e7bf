"""Find a network that reads 8 x 8 digits, and look at what was found.

`python examples/digits.py` takes a minute, `python examples/digits.py 10m` ten.
"""

import sys

import fleetgrad as fg


def main(budget: str | fg.Budget = "60s", out: str | None = None) -> fg.Result:
    """Search, and print the winner, who is tied with it, and the sealed rows' verdict."""
    data = fg.load("digits")
    print(data)

    result = fg.tune(data, budget=budget, out=out)
    assert result.test is not None  # nobody interrupted it
    low, high = result.test.interval
    print(f"{result.candidates} candidates, {result.network_epochs:.0f} network-epochs")
    print(f"test {result.test.value:.2%}, {low:.2%} to {high:.2%}, {result.test.n} rows")
    print(f"tied with the winner: {result.ties or 'nobody'}")
    print(f"what mattered: {dict(result.importances or {})}")
    print(result.leaderboard.to_frame().head(5).to_string(index=False))
    print(f"look at {result.run / 'report.html'}")
    return result


if __name__ == "__main__":
    main(*sys.argv[1:])
