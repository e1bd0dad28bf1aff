"""The entry point of lingmix-sync, which sends pending records to the store."""

from lingmix.cli.entry_point import entry_point

main = entry_point("sync", "lingmix.commands.sync:sync")

if __name__ == "__main__":
    main()
