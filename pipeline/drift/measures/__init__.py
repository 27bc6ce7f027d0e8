"""What is measured of one picture, one text, one label; `features` names each measure."""
