"""lingmix-train: build what conf describes, fit, evaluate, record."""

from lingmix.cli.entry_point import entry_point

main = entry_point("train", "lingmix.commands.train:train", launched=True)

if __name__ == "__main__":
    main()
