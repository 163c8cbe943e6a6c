"""Union-find: which of a growing number of things are connected. A union is never undone."""


class UnionFind:
    """Things by number, from 0 on; each alone until it is joined."""

    __slots__ = ("_parents",)

    def __init__(self, size: int = 0) -> None:
        self._parents = list(range(size))

    def __len__(self) -> int:
        return len(self._parents)

    def add(self) -> None:
        """Adds a thing, with the next number."""
        self._parents.append(len(self._parents))

    def root(self, number: int) -> int:
        """The least number of all that one is connected with."""
        parents = self._parents
        while (parent := parents[number]) != number:
            parents[number] = parents[parent]
            number = parents[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Connects two things."""
        one, other = self.root(one), self.root(other)
        self._parents[max(one, other)] = min(one, other)
