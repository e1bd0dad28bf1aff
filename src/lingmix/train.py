"""The entry point of lingmix-train, which trains an encoder, evaluates it and records the run."""

from lingmix.cli.entry_point import entry_point

main = entry_point("train", "lingmix.commands.train:train", launched=True)

if __name__ == "__main__":
    main()
