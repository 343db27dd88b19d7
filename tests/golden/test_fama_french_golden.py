"""Against another transcription of French's ranges, and against codes looked up by hand.

The stretches are read off ``ff_48ind.csv``, ``ff_17ind.csv`` and ``ff_49ind.csv`` of the public
repository Wenzhi-Ding/FamaFrenchIndustry, which expands French's files code by code and calls
"Other" whatever is in no range.
"""

import pandas as pd
import pytest

from finsae.checks import DataError
from finsae.cluster import SCHEMES, fama_french

BLANK = "Other"
# "last code of the run: industry", from the first code on
STRETCHES = {
    (48, 3497): """3499 BldMt 3509 Other 3536 Mach 3537 Autos 3538 Mach 3539 Other 3569 Mach
        3579 Comps 3582 Mach 3584 Other 3586 Mach 3588 Other 3599 Mach 3600 ElcEq 3609 Other
        3613 ElcEq 3619 Other 3621 ElcEq 3622 Chips 3629 ElcEq 3639 Hshld 3646 ElcEq 3647 Autos
        3649 ElcEq 3652 Toys 3659 Other 3660 ElcEq 3666 Chips 3668 Other 3679 Chips 3689 Comps
        3692 ElcEq 3693 MedEq 3694 Autos 3695 Comps 3698 Other 3699 ElcEq 3700 Autos 3709 Other
        3711 Autos 3712 Other 3716 Autos 3719 Other 3721 Aero 3722 Other 3725 Aero 3727 Other
        3729 Aero 3731 Ships 3732 Toys 3739 Other 3743 Ships 3749 Other 3751 Hshld 3759 Other
        3769 Guns 3789 Other 3792 Autos 3794 Other 3795 Guns 3798 Other 3799 Autos 3800 Hshld
        3809 Other 3810 Chips 3811 LabEq 3812 Chips 3819 Other 3827 LabEq 3828 Other 3839 LabEq
        3851 MedEq 3859 Other 3861 Hshld 3869 Other 3873 Hshld 3909 Other 3911 Hshld 3913 Other
        3915 Hshld 3929 Other 3931 Toys 3939 Other 3949 Toys 3955 Paper 3959 Other 3962 Hshld
        3965 Clths 3990 Other 3991 Hshld 3992 Other 3993 BusSv 3994 Other 3995 Hshld 3996 BldMt
        3999 Other 4013 Trans 4025 Other""",
    (17, 3264): """3264 Cnstr 3269 Other 3275 Cnstr 3279 Other 3281 Cnstr 3289 Other 3293 Cnstr
        3299 Other 3300 Steel 3309 Other 3317 Steel 3319 Other 3325 Steel 3329 Other 3341 Steel
        3349 Other 3357 Steel 3359 Other 3369 Steel 3389 Other 3399 Steel 3409 Other 3412 FabPr
        3419 Other 3433 Cnstr 3439 Other 3442 Cnstr 3444 FabPr 3445 Other 3446 Cnstr 3447 Other
        3452 Cnstr 3459 Other 3499 FabPr 3509 Other 3536 Machn 3539 Other 3582 Machn 3584 Other
        3586 Machn 3588 Other 3600 Machn 3609 Other 3613 Machn 3619 Other 3629 Machn 3639 Durbl
        3649 Other 3652 Durbl 3669 Other 3695 Machn 3698 Other 3699 Machn 3709 Other 3711 Cars
        3712 Other 3713 Trans 3714 Cars 3715 Trans 3716 Cars 3719 Other 3721 Trans 3723 Other
        3725 Trans 3727 Other 3728 Trans 3729 Other 3732 Trans 3739 Other 3741 Trans""",
    (49, 7668): """7689 Other 7699 PerSv 7799 Other 7833 Fun 7839 Other 7841 Fun 7899 Other
        7900 Fun 7909 Other 7911 Fun 7919 Other 7933 Fun 7939 Other 7949 Fun 7979 Other 7980 Fun
        7989 Other 7999 Fun 8099 Hlth 8214 PerSv""",
}

# French's files, opened and read: code, then 5, 10, 12, 17, 30, 38, 48, 49 industries.
BY_HAND = """
    0100 Cnsmr NoDur NoDur Food  Food  Agric Agric Agric
    1311 Manuf Enrgy Enrgy Oil   Oil   Oil   Oil   Oil
    1531 Other Other Other Cnstr Cnstr Cnstr Cnstr Cnstr
    2086 Cnsmr NoDur NoDur Food  Food  Food  Soda  Soda
    2834 Hlth  Hlth  Hlth  Cnsum Hlth  Chems Drugs Drugs
    2836 Hlth  Hlth  Hlth  Other Hlth  Chems Drugs Drugs
    2890 Manuf Manuf Chems Chems Chems Chems Chems Chems
    3571 HiTec HiTec BusEq Machn BusEq Machn Comps Hardw
    3674 HiTec HiTec BusEq Machn BusEq Elctr Chips Chips
    3089 Manuf Manuf Manuf Durbl Other Rubbr Rubbr Rubbr
    3711 Cnsmr Durbl Durbl Cars  Autos Cars  Autos Autos
    3841 Hlth  Hlth  Hlth  Other Hlth  Instr MedEq MedEq
    3990 Cnsmr Durbl Durbl -     Other Manuf -     -
    4512 Other Other Other Trans Trans Trans Trans Trans
    4813 HiTec Telcm Telcm Other Telcm Phone Telcm Telcm
    4911 Manuf Utils Utils Utils Util  Utils Util  Util
    4953 Other Other Other Other Other Garbg Other Other
    4991 Other Other Other Other Other Other Other Other
    5411 Cnsmr Shops Shops Rtail Rtail Rtail Rtail Rtail
    5812 Cnsmr Shops Shops Rtail Meals Rtail Meals Meals
    6021 Other Other Money Finan Fin   Money Banks Banks
    6211 Other Other Money Finan Fin   Money Fin   Fin
    6331 Other Other Money Finan Fin   Money Insur Insur
    6798 Other Other Money Finan Fin   Money Fin   Fin
    7011 Other Other Other Other Meals Srvc  Meals Meals
    7372 HiTec HiTec BusEq Other Servs Srvc  BusSv Softw
    7373 HiTec HiTec BusEq Other BusEq Srvc  Comps Softw
    7990 Other Other Other Other Games Srvc  Fun   Fun
    8731 HiTec HiTec Other Other Servs Srvc  BusSv BusSv
    9995 Other Other Other -     Other Govt  -     -
"""


@pytest.mark.parametrize(("scheme", "first"), STRETCHES)
def test_every_code_of_a_stretch(scheme, first):
    words = STRETCHES[scheme, first].split()
    expected, code = [], first
    for last, name in zip(words[::2], words[1::2], strict=True):
        expected += [name] * (int(last) - code + 1)
        code = int(last) + 1
    found = fama_french(pd.Series([f"{c:04d}" for c in range(first, code)]), scheme)
    assert len(found) > 450
    assert found.fillna(BLANK).tolist() == expected


def test_codes_looked_up_by_hand():
    rows = [line.split() for line in BY_HAND.strip().splitlines()]
    codes = pd.Series([row[0] for row in rows])
    for column, scheme in enumerate(SCHEMES, start=1):
        expected = [None if row[column] == "-" else row[column] for row in rows]
        assert fama_french(codes, scheme).tolist() == expected, scheme


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_has_as_many_industries_as_it_says(scheme):
    everything = pd.Series([f"{code:04d}" for code in range(10_000)])
    found = fama_french(everything, scheme)
    assert found.nunique() == scheme
    assert found.isna().any() == (scheme in (17, 48, 49))


def test_what_is_missing_stays_missing():
    found = fama_french(pd.Series(["2834", None, float("nan")], index=["a", "b", "c"]), 12)
    assert found["a"] == "Hlth" and found[["b", "c"]].isna().all()


def test_a_scheme_that_does_not_exist_and_a_code_that_lost_its_zero():
    with pytest.raises(DataError, match="no 50 Fama-French industries: choose one of 5, 10"):
        fama_french(pd.Series(["2834"]), 50)
    with pytest.raises(DataError, match="leading zeros"):
        fama_french(pd.Series(["100"]), 48)
