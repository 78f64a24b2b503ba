# Makes a C file of a text: cmake -DNAME=symbol -DTEXT=in -DHEADER=declares.h -DCODE=out.c -P embed.cmake
file(READ ${TEXT} text HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${text}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${CODE} "#include \"${HEADER}\"\n\nconst char ${NAME}[] = {\n${bytes}0\n};\n")
