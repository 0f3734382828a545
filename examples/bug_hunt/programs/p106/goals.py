"""Goals of football teams."""


def per_game(goals, games):
    """Goals per game; a team that has not played has none."""
    return goals / games


def ranking(teams):
    """Teams by goals per game, best first."""
    return sorted(teams, key=lambda team: -per_game(*teams[team]))
