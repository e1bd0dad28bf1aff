"""lingmix-analyze: recorded runs -> the trade-off report."""

from lingmix.cli.entry_point import entry_point

main = entry_point("analyze", "lingmix.commands.analyze:analyze")

if __name__ == "__main__":
    main()
