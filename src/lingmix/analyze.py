"""The entry point of lingmix-analyze, which writes the trade-off report of recorded runs."""

from lingmix.cli.entry_point import entry_point

main = entry_point("analyze", "lingmix.commands.analyze:analyze")

if __name__ == "__main__":
    main()
