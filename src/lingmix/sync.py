"""lingmix-sync: what runs recorded while their store was away -> the store."""

from lingmix.doors import door

main = door("sync", "lingmix.commands.sync:sync")

if __name__ == "__main__":
    main()
