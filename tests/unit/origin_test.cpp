// SPDX-License-Identifier: Apache-2.0
// Where a request came from, as an entry keeps it: the vectors of the independent implementation.
#include <rapidjson/document.h>

#include <fstream>
#include <sstream>

#include "bytes_of.hpp"
#include "core/entry.hpp"

using namespace aegis::core;
using namespace aegis::test;
using rapidjson::Value;

namespace {

rapidjson::Document vectors() {
    std::ifstream file(AEGIS_VECTORS "/entry_v1.json");
    std::stringstream text;
    text << file.rdbuf();
    rapidjson::Document document;
    document.Parse(text.str().c_str());
    EXPECT_FALSE(document.HasParseError());
    return document;
}

std::string_view text(const Value &fields, const char *member) {
    if (!fields.HasMember(member)) return {};
    return {fields[member].GetString(), fields[member].GetStringLength()};
}

OriginFields fields_of(const Value &v) {
    OriginFields f;
    f.ip = text(v["fields"], "ip");
    f.user_agent = text(v["fields"], "user_agent");
    f.connection = text(v["fields"], "connection_address");
    f.application = text(v["fields"], "application_name");
    return f;
}

void expect_read(const Value &v) {
    const Bytes plaintext = from_hex(v["plaintext"].GetString());
    const OriginFields read = decode_origin(view(plaintext)), said = fields_of(v);
    EXPECT_EQ(read.ip, said.ip);
    EXPECT_EQ(read.user_agent, said.user_agent);
    EXPECT_EQ(read.connection, said.connection);
    EXPECT_EQ(read.application, said.application);
}

}  // namespace

TEST(Origin, IsWhatTheVectorsSay) {
    const rapidjson::Document all = vectors();
    for (const Value &v : all["origins"].GetArray()) {
        SCOPED_TRACE(v["plaintext"].GetString());
        Bytes out(encode_origin(fields_of(v), {}));
        EXPECT_EQ(encode_origin(fields_of(v), span(out)), out.size());
        EXPECT_EQ(to_hex(view(out)), v["plaintext"].GetString());
        expect_read(v);
    }
}

TEST(Origin, OfALaterWriterIsRead) {
    expect_read(vectors()["later_origin"]);
}

TEST(Origin, IsNoneWithoutAClaim) {
    OriginFields f;
    f.connection = "::1";
    f.application = "psql";
    EXPECT_EQ(encode_origin(f, {}), 0u);
}

TEST(Origin, RefusesWhatNobodyWrites) {
    const rapidjson::Document all = vectors();
    ASSERT_GT(all["refused_origins"].Size(), 4u);
    for (const Value &v : all["refused_origins"].GetArray()) {
        SCOPED_TRACE(v.GetString());
        const Bytes plaintext = from_hex(v.GetString());
        expect_error(Code::malformed, [&] { decode_origin(view(plaintext)); });
    }
}
