"""The entry point of lingmix-export, which makes a recorded model ready for use elsewhere."""

from lingmix.cli.entry_point import entry_point

main = entry_point("export", "lingmix.commands.export:export")

if __name__ == "__main__":
    main()
