"""lingmix-evaluate: any encoder, any evaluation sets -> the same scores."""

from lingmix.doors import door

main = door("evaluate", "lingmix.commands.evaluate:evaluate", launched=True)

if __name__ == "__main__":
    main()
