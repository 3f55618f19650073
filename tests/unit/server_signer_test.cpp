// SPDX-License-Identifier: Apache-2.0
// The signer without its socket: what it signs, what it keeps, and what it refuses to start from.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/add_checkpoint.hpp"
#include "signer_answer.hpp"
#include "signer_state.hpp"

using namespace aegis;
using server::FileError;
using server::SignerState;
using Use = server::SignerState::Use;
namespace files = std::filesystem;

namespace {

constexpr const char *kOrigin = "log.example/a";

class Leaves : public core::NodeSource {
 public:
    explicit Leaves(std::string salt = "") : salt_(std::move(salt)) {}
    core::Digest node(unsigned level, uint64_t index) override {
        if (level == 0) return core::merkle_leaf(core::as_bytes(salt_ + std::to_string(index)));
        return core::merkle_node(node(level - 1, 2 * index), node(level - 1, 2 * index + 1));
    }

 private:
    std::string salt_;
};

class Signer : public ::testing::Test {
 protected:
    void SetUp() override {
        char name[] = "/tmp/aegis-signer-test.XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder_ = name;
        SignerState::create(folder_);
        SignerState(folder_, Use::alone).add(kOrigin);
    }
    void TearDown() override { files::remove_all(folder_); }

    static std::string request(uint64_t old, uint64_t size, const std::string &salt = "",
                               const std::string &origin = kOrigin) {
        Leaves log(salt);
        core::Checkpoint head;
        head.origin = origin;
        head.size = size;
        head.root = size == 0 ? core::merkle_empty_root() : core::range_root(log, 0, size);
        const std::string text = core::format_checkpoint(head);
        core::AddCheckpoint body;
        body.old = old;
        body.text = text;
        if (old > 0 && old < size) body.proof = core::consistency_proof(log, old, size);
        return core::format_add_checkpoint(body);
    }

    // The file of the only log.
    files::path head() const { return *files::directory_iterator(folder_ + "/heads"); }
    static std::string content(const files::path &path) {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    static void put(const files::path &path, const std::string &text) {
        files::permissions(path, files::perms::owner_all);
        std::ofstream(path) << text;
    }
    void expect_refused(const std::string &why) {
        try {
            SignerState state(folder_, Use::alone);
            FAIL() << "it started: " << why;
        } catch (const FileError &error) {
            EXPECT_NE(std::string(error.what()).find(folder_), std::string::npos);
        }
    }

    std::string folder_;
};

}  // namespace

TEST_F(Signer, SignsExtensionsAndKeepsThem) {
    for (const auto &[old, size] :
         {std::pair<uint64_t, uint64_t>{0, 5}, {5, 5}, {5, 64}, {64, 65}}) {
        SignerState state(folder_, Use::alone);  // started anew each time
        const std::string answer = server::answer_of(&state, request(old, size));
        ASSERT_EQ(answer.substr(0, 4), "200\n") << old << " to " << size;
        const std::string body = request(old, size);
        const std::string note =
            std::string(core::parse_add_checkpoint(body).text) + "\n" + answer.substr(4);
        EXPECT_TRUE(core::note_is_signed(core::parse_note(note), state.key().key_of(kOrigin)));
        EXPECT_EQ(content(head()), note) << "the state is the note";
    }
}

TEST_F(Signer, RefusesWhatDoesNotExtend) {
    SignerState state(folder_, Use::alone);
    ASSERT_EQ(server::answer_of(&state, request(0, 20)).substr(0, 4), "200\n");
    const std::string kept = content(head());
    EXPECT_EQ(server::answer_of(&state, request(0, 30)), "409\n20\n");
    EXPECT_EQ(server::answer_of(&state, request(10, 15)), "409\n20\n");
    EXPECT_EQ(server::answer_of(&state, request(20, 19)), "400\n");
    EXPECT_EQ(server::answer_of(&state, request(20, 20, "fork")), "422\n");
    EXPECT_EQ(server::answer_of(&state, request(20, 30, "fork")), "422\n");
    EXPECT_EQ(server::answer_of(&state, request(0, 30, "", "log.example/b")), "404\n");
    EXPECT_EQ(server::answer_of(&state, "old"), "400\n");
    EXPECT_EQ(server::answer_of(&state, request(20, 30) + "extension\n"), "400\n");
    EXPECT_EQ(content(head()), kept);
}

TEST_F(Signer, SignsNothingThatItCannotKeep) {
    SignerState state(folder_, Use::alone);
    const std::string fresh = head().string() + ".new";
    // A folder in the place of the new file: it can be neither removed nor made.
    files::create_directories(files::path(fresh) / "x");
    EXPECT_EQ(server::answer_of(&state, request(0, 5)), "500\n");
    EXPECT_EQ(state.find(kOrigin)->checkpoint.size, 0u);
    files::remove_all(fresh);
    EXPECT_EQ(server::answer_of(&state, request(0, 5)).substr(0, 4), "200\n");
}

TEST_F(Signer, LogsAreApart) {
    SignerState state(folder_, Use::alone);
    state.add("log.example/b");
    EXPECT_EQ(server::answer_of(&state, request(0, 9)).substr(0, 4), "200\n");
    EXPECT_EQ(server::answer_of(&state, request(0, 3, "", "log.example/b")).substr(0, 4), "200\n");
    EXPECT_EQ(state.find(kOrigin)->checkpoint.size, 9u);
    EXPECT_EQ(state.find("log.example/b")->checkpoint.size, 3u);
    EXPECT_THROW(state.add("log.example/b"), FileError);
}

TEST_F(Signer, OnlyOneUsesAFolder) {
    SignerState state(folder_, Use::alone);
    expect_refused("a second signer");
    EXPECT_EQ(SignerState(folder_, Use::read).heads().size(), 1u);
}

TEST_F(Signer, NeverBeginsFromADamagedHead) {
    {
        SignerState state(folder_, Use::alone);
        ASSERT_EQ(server::answer_of(&state, request(0, 20)).substr(0, 4), "200\n");
    }
    const std::string kept = content(head());
    for (size_t at = 0; at < kept.size(); at++) {
        std::string damaged = kept;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        put(head(), damaged);
        expect_refused("byte " + std::to_string(at) + " was changed");
    }
    put(head(), kept.substr(0, kept.size() / 2));
    expect_refused("half of it");
    put(head(), "");
    expect_refused("an empty file");
    files::remove(head());
    expect_refused("no file");
}

TEST_F(Signer, TheHeadOfAnotherLogOrKeyIsDamage) {
    char name[] = "/tmp/aegis-signer-test.XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    const std::string other = name;
    SignerState::create(other);
    SignerState(other, Use::alone).add(kOrigin);
    const files::path theirs = *files::directory_iterator(other + "/heads");
    put(head(), content(theirs));
    expect_refused("a head that another key signed");
    files::remove_all(other);
}

TEST_F(Signer, LeftoversOfACrashDoNotHinder) {
    std::ofstream(head().string() + ".new") << "half a no";
    SignerState state(folder_, Use::alone);
    EXPECT_EQ(server::answer_of(&state, request(0, 5)).substr(0, 4), "200\n");
}

TEST_F(Signer, RefusesAFolderOrKeyThatOthersCanRead) {
    files::permissions(folder_, files::perms::others_read, files::perm_options::add);
    expect_refused("the folder");
    files::permissions(folder_, files::perms::owner_all);
    files::permissions(folder_ + "/key", files::perms::group_read, files::perm_options::add);
    expect_refused("the key");
}

TEST_F(Signer, KeysAreNeverOverwrittenAndDamagedOnesRefused) {
    const std::string kept = content(folder_ + "/key");
    EXPECT_THROW(SignerState::create(folder_), FileError);
    EXPECT_EQ(content(folder_ + "/key"), kept);
    put(folder_ + "/key", kept.substr(0, 20));
    expect_refused("half a key");
    put(folder_ + "/key", "ed25519:" + std::string(64, 'g') + "\n");
    expect_refused("no key");
    put(folder_ + "/key", kept + kept);
    expect_refused("two keys");
}
