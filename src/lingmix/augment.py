"""The entry point of lingmix-augment, which makes training items of passages."""

from lingmix.cli.entry_point import entry_point

main = entry_point("augment", "lingmix.commands.augment:augment")

if __name__ == "__main__":
    main()
