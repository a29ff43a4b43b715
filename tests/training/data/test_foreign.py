from model.training.data.foreign import foreign_of


def test_names_tell_which_foreign_character_an_image_shows() -> None:
    names = ("drawn/0_木_isnull.jpg", "1_isnull.jpg", "2_本_isnull.jpg", "3_木_isnull.jpg")
    characters, shown = foreign_of(names)
    assert characters == ("木", "本")
    assert shown.tolist() == [0, -1, 1, 0]


def test_no_other_names_do() -> None:
    characters, shown = foreign_of(("7_3_林.jpg", "2021_08_isnull.jpg", "本_isnull.jpg", "a"))
    assert (characters, shown.tolist()) == ((), [-1, -1, -1, -1])
