"""The entry point of lingmix-mine, which adds hard negatives to training pairs."""

from lingmix.cli.entry_point import entry_point

main = entry_point("mine", "lingmix.commands.mine:mine_negatives")

if __name__ == "__main__":
    main()
