# Writes a C++ source that holds the files of the console:
#   cmake -DFILES=index.html;app.js;… -DFROM=folder -DTO=file.cpp -P embed_console.cmake
# All files but index.html are assets. Their folder is named after a hash over all of them, so that
# they may be cached for ever and still name each other by plain relative names. In index.html,
# {{base}} is that folder, {{asset:NAME}} a file in it, and {{nonce}} is left for each answer.
cmake_minimum_required(VERSION 3.25)

set(TYPE_css "text/css; charset=utf-8")
set(TYPE_js "text/javascript; charset=utf-8")
set(TYPE_svg "image/svg+xml")

list(SORT FILES)
list(REMOVE_ITEM FILES index.html)
set(digests "")
foreach(name IN LISTS FILES)
  file(SHA256 "${FROM}/${name}" digest)
  string(APPEND digests "${name} ${digest}\n")
endforeach()
string(SHA256 digest "${digests}")
string(SUBSTRING "${digest}" 0 16 digest)
set(base "/assets/${digest}")

# Every byte as an escape: then nothing in a file can mean something to the compiler.
function(append_literal hex)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" escaped "${hex}")
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  set(out "${out}std::string_view(\"${escaped}\", ${size})" PARENT_SCOPE)
endfunction()

set(out "// Made by embed_console.cmake.\n#include \"console_files.hpp\"\n\n")
string(APPEND out "namespace aegis::server {\n\nconst std::vector<ConsoleFile> &console_assets() {\n")
string(APPEND out "    static const std::vector<ConsoleFile> files = {\n")
foreach(name IN LISTS FILES)
  string(REGEX REPLACE "^.*\\." "" ending "${name}")
  if(NOT name MATCHES "^[a-z0-9][a-z0-9_-]*\\.[a-z]+$" OR NOT DEFINED TYPE_${ending})
    message(FATAL_ERROR "${FROM}/${name}: an asset is named with small letters, digits, - and _, and is css, js or svg")
  endif()
  string(APPEND out "        {\"${base}/${name}\", \"${TYPE_${ending}}\",\n         ")
  file(READ "${FROM}/${name}" hex HEX)
  append_literal("${hex}")
  string(APPEND out "},\n")
endforeach()
string(APPEND out "    };\n    return files;\n}\n\nstd::string_view console_shell() {\n    return ")

file(READ "${FROM}/index.html" shell)
string(REPLACE "{{base}}" "${base}" shell "${shell}")
foreach(name IN LISTS FILES)
  string(REPLACE "{{asset:${name}}}" "${base}/${name}" shell "${shell}")
endforeach()
string(REPLACE "{{nonce}}" "" known "${shell}")
if(known MATCHES "({{[^}]*}}?)")
  message(FATAL_ERROR "${FROM}/index.html: unknown placeholder or asset ${CMAKE_MATCH_1}")
endif()
string(HEX "${shell}" hex)
append_literal("${hex}")
string(APPEND out ";\n}\n\n}  // namespace aegis::server\n")
file(WRITE "${TO}" "${out}")
