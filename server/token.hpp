// SPDX-License-Identifier: Apache-2.0
// A PKCS#11 token with an AES-256 key that wraps and unwraps master keys and never leaves it.
#pragma once

#include <string>

#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>

#include "core/keyring.hpp"

namespace aegis::token {

// Exit statuses of aegis-pkcs11, by which the server's log tells faults apart.
// docs/key_provider.md.
enum Status {
    kModule = 2,
    kToken = 3,
    kPinFile = 4,
    kPinWrong = 5,
    kPinLocked = 6,
    kKey = 7,
    kFile = 8,
    kTime = 9,
    kOperation = 10,
};

struct Pin {  // wiped when it goes
    char text[256];
    size_t size = 0;
    ~Pin() { core::wipe({reinterpret_cast<uint8_t *>(text), sizeof text}); }
};
// The first line of a file under the rules of key files: regular, the caller's own, mode 0400 or
// 0600.
void read_pin(const std::string &path, Pin *pin);

// Throws key_file::Failure from every member, with one of the statuses above.
class Token {
 public:
    // Loads the module and opens a session with the one token of this label.
    Token(const std::string &module, const std::string &label, bool to_write);
    ~Token();
    Token(const Token &) = delete;
    Token &operator=(const Token &) = delete;

    void login(const Pin &pin);
    void make_key(const std::string &label);  // refuses when there is one of this label
    void find_key(const std::string &label);
    // True when the key could be taken out of the token.
    bool key_may_leave();

    void wrap(const core::MasterKey &key, core::WrappedKey *out);
    void unwrap(const core::WrappedKey &wrapped, core::MasterKey *out);

 private:
    size_t count_keys(const std::string &label);
    CK_SLOT_ID find_slot(const std::string &label);

    CK_FUNCTION_LIST *module_ = nullptr;
    bool initialized_ = false;
    bool has_session_ = false;
    CK_SLOT_ID slot_ = 0;
    CK_SESSION_HANDLE session_ = 0;
    CK_OBJECT_HANDLE key_ = 0;
};

}  // namespace aegis::token
