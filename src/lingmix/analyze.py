"""lingmix-analyze: recorded runs -> the trade-off report."""

from lingmix.doors import door

main = door("analyze", "lingmix.commands.analyze:analyze")

if __name__ == "__main__":
    main()
