"""lingmix-mine: training data, any encoder -> the same pairs with hard negatives."""

from lingmix.doors import door

main = door("mine", "lingmix.commands.mine:mine_negatives")

if __name__ == "__main__":
    main()
