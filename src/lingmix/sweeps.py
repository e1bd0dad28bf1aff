"""The entry point of lingmix-sweeps, which lists recorded sweeps."""

from lingmix.cli.entry_point import entry_point

main = entry_point("sweeps", "lingmix.commands.sweeps:sweeps")

if __name__ == "__main__":
    main()
