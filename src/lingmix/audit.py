"""The entry point of lingmix-audit, which compares training data with evaluation sets."""

from lingmix.cli.entry_point import entry_point

main = entry_point("audit", "lingmix.commands.audit:audit")

if __name__ == "__main__":
    main()
