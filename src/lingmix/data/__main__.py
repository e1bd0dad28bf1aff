"""The entry point of lingmix-data, which describes training data."""

from lingmix.cli.entry_point import entry_point

main = entry_point("data", "lingmix.commands.data:describe")

if __name__ == "__main__":
    main()
