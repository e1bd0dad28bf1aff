"""lingmix-sweeps: recorded sweeps -> what became of their cells."""

from lingmix.cli.entry_point import entry_point

main = entry_point("sweeps", "lingmix.commands.sweeps:sweeps")

if __name__ == "__main__":
    main()
