// SPDX-License-Identifier: Apache-2.0
// The values are RFC 9530's, appendix D, and RFC 9421's, appendix B.2, which leaves out the line
// end.
#include "core/content_digest.hpp"

#include "bytes_of.hpp"

using namespace aegis::core;
using namespace aegis::test;

namespace {

constexpr std::string_view kLine = "{\"hello\": \"world\"}\n";
constexpr std::string_view kBare = "{\"hello\": \"world\"}";
constexpr std::string_view kLineSha256 = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
constexpr std::string_view kBareSha256 = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
constexpr std::string_view kLineSha512 =
    "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/"
    "WkppmM44T3qg==:";

std::string join(std::string_view a, std::string_view b) {
    return std::string(a) + ", " + std::string(b);
}

}  // namespace

TEST(ContentDigest, IsThePublishedOne) {
    EXPECT_EQ(format_content_digest(as_bytes(kLine)), kLineSha256);
    EXPECT_EQ(format_content_digest(as_bytes(kBare)), kBareSha256);
    EXPECT_EQ(format_content_digest({}), "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    check_content_digest(kLineSha256, as_bytes(kLine));
    check_content_digest(kLineSha512, as_bytes(kLine));
    check_content_digest(join(kLineSha512, kLineSha256), as_bytes(kLine));
    check_content_digest(join("md5=:AAAA:", kLineSha256), as_bytes(kLine));
}

TEST(ContentDigest, RefusesOtherContent) {
    for (std::string_view field : {kLineSha256, kLineSha512})
        expect_error(Code::cannot_open, [&] { check_content_digest(field, as_bytes(kBare)); });
    // Every digest that counts must be right, not one of them.
    for (const std::string &field :
         {join(kBareSha256, kLineSha512), join(kLineSha512, kBareSha256)})
        expect_error(Code::cannot_open, [&] { check_content_digest(field, as_bytes(kLine)); });
    for (size_t i = 0; i < kLine.size(); ++i) {
        std::string changed(kLine);
        changed[i] ^= 1;
        expect_error(Code::cannot_open,
                     [&] { check_content_digest(kLineSha256, as_bytes(changed)); });
    }
}

TEST(ContentDigest, RefusesOtherForms) {
    for (const char *field : {"", "md5=:AAAA:", "sha-256", "sha-256=\"x\"", "sha-256=(:AAAA:)",
                              "SHA-256=:AAAA:", "sha-256=:AAAA:, sha-256=:AAAA:", "sha-256=AAAA"})
        expect_error(Code::malformed, [&] { check_content_digest(field, as_bytes(kLine)); });
    expect_error(Code::cannot_open, [] { check_content_digest("sha-256=::", as_bytes(kLine)); });
}
