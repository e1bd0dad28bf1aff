"""lingmix-sweeps: recorded sweeps -> what became of their cells."""

from lingmix.doors import door

main = door("sweeps", "lingmix.commands.sweeps:sweeps")

if __name__ == "__main__":
    main()
