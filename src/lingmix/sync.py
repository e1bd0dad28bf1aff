"""lingmix-sync: what runs recorded while their store was away -> the store."""

from lingmix.cli.entry_point import entry_point

main = entry_point("sync", "lingmix.commands.sync:sync")

if __name__ == "__main__":
    main()
