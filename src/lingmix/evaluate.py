"""The entry point of lingmix-evaluate, which scores any encoder on any evaluation sets."""

from lingmix.cli.entry_point import entry_point

main = entry_point("evaluate", "lingmix.commands.evaluate:evaluate", launched=True)

if __name__ == "__main__":
    main()
