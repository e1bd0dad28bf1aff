"""lingmix-train: build what conf describes, fit, evaluate, record."""

from lingmix.doors import door

main = door("train", "lingmix.commands.train:train", launched=True)

if __name__ == "__main__":
    main()
