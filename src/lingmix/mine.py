"""lingmix-mine: training data, any encoder -> the same pairs with hard negatives."""

from lingmix.cli.entry_point import entry_point

main = entry_point("mine", "lingmix.commands.mine:mine_negatives")

if __name__ == "__main__":
    main()
