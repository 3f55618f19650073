// SPDX-License-Identifier: Apache-2.0
#include "token.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "core/random.hpp"
#include "durable_file.hpp"
#include "key_file.hpp"

namespace aegis::token {

namespace {

using key_file::fail;
using key_file::system_error;

constexpr size_t kTagBits = 128;

std::string reason(CK_RV code) {
    return p11_kit_strerror(code);
}

// Labels of tokens are 32 bytes, padded with spaces.
std::string label_of(const CK_TOKEN_INFO &info) {
    std::string label(reinterpret_cast<const char *>(info.label), sizeof info.label);
    const size_t last = label.find_last_not_of(' ');
    return label.substr(0, last == std::string::npos ? 0 : last + 1);
}

CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, void *value, size_t size) {
    return {type, value, size};
}

}  // namespace

void read_pin(const std::string &path, Pin *pin) {
    const server::Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status {};
    if (file.get() < 0 || fstat(file.get(), &status) != 0)
        fail(system_error("could not open PIN file \"" + path + "\""),
             "Write the PIN into a file of the server's user, mode 0400.", kPinFile);
    if (!S_ISREG(status.st_mode))
        fail("PIN file \"" + path + "\" is not a regular file", "Name the file itself.", kPinFile);
    if (status.st_uid != geteuid())
        fail("PIN file \"" + path + "\" is not owned by the user that runs this program",
             "Give the file to that user with chown.", kPinFile);
    const unsigned mode = status.st_mode & 07777;
    if (mode != 0400 && mode != 0600)
        fail("PIN file \"" + path + "\" can be read by others", "Run chmod 0400 on the file.",
             kPinFile);
    const ssize_t size = read(file.get(), pin->text, sizeof pin->text);
    if (size < 0) fail(system_error("could not read PIN file"), "Check the file system.", kPinFile);
    const std::string_view text(pin->text, static_cast<size_t>(size));
    pin->size = text.substr(0, text.find('\n')).size();
    if (pin->size > 0 && pin->text[pin->size - 1] == '\r') pin->size--;
    if (pin->size == 0 || static_cast<size_t>(size) == sizeof pin->text)
        fail("PIN file \"" + path + "\" has no first line of 1 to 254 bytes",
             "Write the PIN alone into it.", kPinFile);
}

Token::Token(const std::string &module, const std::string &label, bool to_write) {
    if (access(module.c_str(), R_OK) != 0)
        fail(system_error("could not open module \"" + module + "\""),
             "Name the PKCS#11 library of the token's maker.", kModule);
    module_ = p11_kit_module_load(module.c_str(), 0);
    if (module_ == nullptr) {
        const char *message = p11_kit_message();
        fail("could not load module \"" + module + "\": " + (message ? message : "unknown reason"),
             "Name the PKCS#11 library of the token's maker.", kModule);
    }
    const CK_RV loaded = p11_kit_module_initialize(module_);
    initialized_ = loaded == CKR_OK;
    if (!initialized_) {
        p11_kit_module_release(module_);
        fail("could not start module \"" + module + "\": " + reason(loaded),
             "Check the module's configuration, and the rights of the server's user on it.",
             kModule);
    }
    try {
        slot_ = find_slot(label);
        const CK_RV opened =
            module_->C_OpenSession(slot_, CKF_SERIAL_SESSION | (to_write ? CKF_RW_SESSION : 0),
                                   nullptr, nullptr, &session_);
        if (opened != CKR_OK)
            fail("could not open a session with token \"" + label + "\": " + reason(opened),
                 "Check the token with its maker's tools.", kToken);
        has_session_ = true;
    } catch (const key_file::Failure &) {
        p11_kit_module_finalize(module_);
        p11_kit_module_release(module_);
        throw;
    }
}

Token::~Token() {
    if (has_session_) module_->C_CloseSession(session_);  // ends the login as well
    p11_kit_module_finalize(module_);
    p11_kit_module_release(module_);
}

CK_SLOT_ID Token::find_slot(const std::string &label) {
    CK_ULONG count = 0;
    std::vector<CK_SLOT_ID> slots;
    CK_RV code = module_->C_GetSlotList(CK_TRUE, nullptr, &count);
    slots.resize(count);
    if (code == CKR_OK) code = module_->C_GetSlotList(CK_TRUE, slots.data(), &count);
    if (code != CKR_OK)
        fail("could not list the module's tokens: " + reason(code),
             "Check the module's configuration, and the rights of the server's user on it.",
             kToken);
    slots.resize(count);
    CK_SLOT_ID found = 0;
    int matches = 0;
    for (const CK_SLOT_ID slot : slots) {
        CK_TOKEN_INFO info;
        if (module_->C_GetTokenInfo(slot, &info) != CKR_OK || label_of(info) != label) continue;
        found = slot;
        matches++;
    }
    if (matches == 0)
        fail("there is no token \"" + label + "\" among the " + std::to_string(count) +
                 " that the module has",
             "Check the label with the maker's tools, and whether the server's user may use it.",
             kToken);
    if (matches > 1)
        fail("there are several tokens \"" + label + "\"", "Give each token a label of its own.",
             kToken);
    return found;
}

void Token::login(const Pin &pin) {
    CK_TOKEN_INFO info;
    // A reload with a wrong PIN must not be what locks the token.
    if (module_->C_GetTokenInfo(slot_, &info) == CKR_OK &&
        (info.flags & (CKF_USER_PIN_LOCKED | CKF_USER_PIN_FINAL_TRY)) != 0)
        fail((info.flags & CKF_USER_PIN_LOCKED) != 0
                 ? "the token's PIN is locked"
                 : "wrong PINs left one attempt, which is not made",
             "Unlock the token, or log in with the right PIN, with the maker's tools.", kPinLocked);
    std::string_view text(pin.text, pin.size);
    const CK_RV code = module_->C_Login(
        session_, CKU_USER, reinterpret_cast<CK_UTF8CHAR *>(const_cast<char *>(text.data())),
        text.size());
    if (code == CKR_OK || code == CKR_USER_ALREADY_LOGGED_IN) return;
    if (code == CKR_PIN_LOCKED)
        fail("the token's PIN is locked", "Unlock it with the maker's tools.", kPinLocked);
    if (code == CKR_PIN_INCORRECT || code == CKR_PIN_INVALID || code == CKR_PIN_LEN_RANGE)
        fail("the token refuses the PIN",
             "Correct the PIN file; a token locks itself after a few wrong ones.", kPinWrong);
    fail("could not log in to the token: " + reason(code),
         "Check that the token has a user PIN, with the maker's tools.", kPinWrong);
}

size_t Token::count_keys(const std::string &label) {
    CK_OBJECT_CLASS kind = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ATTRIBUTE wanted[] = {attribute(CKA_CLASS, &kind, sizeof kind),
                             attribute(CKA_KEY_TYPE, &type, sizeof type),
                             attribute(CKA_LABEL, const_cast<char *>(label.data()), label.size())};
    CK_OBJECT_HANDLE found[2];
    CK_ULONG count = 0;
    CK_RV code = module_->C_FindObjectsInit(session_, wanted, 3);
    if (code == CKR_OK) {
        code = module_->C_FindObjects(session_, found, 2, &count);
        module_->C_FindObjectsFinal(session_);
    }
    if (code != CKR_OK)
        fail("could not look for key \"" + label + "\": " + reason(code),
             "Check the token with its maker's tools.", kKey);
    if (count == 1) key_ = found[0];
    return count;
}

void Token::find_key(const std::string &label) {
    const size_t count = count_keys(label);
    if (count == 0)
        fail("the token has no AES key \"" + label + "\"",
             "Make one with --make-key, or name another with --key.", kKey);
    if (count > 1)
        fail("the token has several AES keys \"" + label + "\"", "Give each a label of its own.",
             kKey);
}

void Token::make_key(const std::string &label) {
    if (count_keys(label) != 0)
        fail("the token has an AES key \"" + label + "\" already", "Name another with --key.",
             kKey);
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG size = core::kKeyBytes;
    CK_ATTRIBUTE attributes[] = {
        attribute(CKA_LABEL, const_cast<char *>(label.data()), label.size()),
        attribute(CKA_VALUE_LEN, &size, sizeof size),
        attribute(CKA_TOKEN, &yes, sizeof yes),
        attribute(CKA_PRIVATE, &yes, sizeof yes),
        attribute(CKA_SENSITIVE, &yes, sizeof yes),
        attribute(CKA_EXTRACTABLE, &no, sizeof no),
        attribute(CKA_ENCRYPT, &yes, sizeof yes),
        attribute(CKA_DECRYPT, &yes, sizeof yes),
        attribute(CKA_WRAP, &no, sizeof no),
        attribute(CKA_UNWRAP, &no, sizeof no)};
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, nullptr, 0};
    const CK_RV code = module_->C_GenerateKey(session_, &mechanism, attributes,
                                              sizeof attributes / sizeof *attributes, &key_);
    if (code != CKR_OK)
        fail("the token made no AES-256 key: " + reason(code),
             "Make one with the maker's tools: not extractable, for encryption and decryption.",
             kKey);
}

bool Token::key_may_leave() {
    CK_BBOOL extractable = CK_TRUE, sensitive = CK_FALSE;
    CK_ATTRIBUTE asked[] = {attribute(CKA_EXTRACTABLE, &extractable, sizeof extractable),
                            attribute(CKA_SENSITIVE, &sensitive, sizeof sensitive)};
    return module_->C_GetAttributeValue(session_, key_, asked, 2) != CKR_OK || extractable ||
           !sensitive;
}

// Some tokens draw the nonce themselves and put it where ours stands; so it is read after the call.
void Token::wrap(const core::MasterKey &key, core::WrappedKey *out) {
    uint8_t context[core::kWrappedKeyContextBytes];
    core::wrapped_key_context(key.version, context);
    out->version = key.version;
    core::random_nonce({out->bytes, core::kWrappedKeyNonceBytes});
    CK_GCM_PARAMS parameters = {out->bytes,
                                core::kWrappedKeyNonceBytes,
                                8 * core::kWrappedKeyNonceBytes,
                                context,
                                sizeof context,
                                kTagBits};
    CK_MECHANISM mechanism = {CKM_AES_GCM, &parameters, sizeof parameters};
    CK_ULONG size = core::kWrappedKeyBytes - core::kWrappedKeyNonceBytes;
    CK_RV code = module_->C_EncryptInit(session_, &mechanism, key_);
    if (code == CKR_OK)
        code = module_->C_Encrypt(session_, const_cast<uint8_t *>(key.key), sizeof key.key,
                                  out->bytes + core::kWrappedKeyNonceBytes, &size);
    if (code != CKR_OK || size != core::kWrappedKeyBytes - core::kWrappedKeyNonceBytes)
        fail("the token could not encrypt with AES-GCM: " + reason(code),
             "The key must be AES-256 and allow encryption; the token must know CKM_AES_GCM.",
             kOperation);
}

void Token::unwrap(const core::WrappedKey &wrapped, core::MasterKey *out) {
    uint8_t context[core::kWrappedKeyContextBytes], nonce[core::kWrappedKeyNonceBytes];
    core::wrapped_key_context(wrapped.version, context);
    memcpy(nonce, wrapped.bytes, sizeof nonce);
    CK_GCM_PARAMS parameters = {nonce,   sizeof nonce,   8 * sizeof nonce,
                                context, sizeof context, kTagBits};
    CK_MECHANISM mechanism = {CKM_AES_GCM, &parameters, sizeof parameters};
    const CK_RV started = module_->C_DecryptInit(session_, &mechanism, key_);
    if (started != CKR_OK)
        fail("the token does not decrypt with AES-GCM: " + reason(started),
             "The key must be AES-256 and allow decryption; the token must know CKM_AES_GCM.",
             kOperation);
    // Modules may ask for room for the tag as well.
    struct Scratch {
        uint8_t bytes[core::kWrappedKeyBytes];
        ~Scratch() { core::wipe(bytes); }
    } scratch;
    CK_ULONG size = sizeof scratch.bytes;
    const CK_RV code = module_->C_Decrypt(
        session_, const_cast<uint8_t *>(wrapped.bytes) + core::kWrappedKeyNonceBytes,
        core::kWrappedKeyBytes - core::kWrappedKeyNonceBytes, scratch.bytes, &size);
    if (code != CKR_OK || size != core::kKeyBytes)
        fail("version " + std::to_string(wrapped.version) +
                 " does not open: it was changed, or wrapped under another key (" + reason(code) +
                 ")",
             "Name the file and the key that belong together.", kFile);
    out->version = wrapped.version;
    memcpy(out->key, scratch.bytes, core::kKeyBytes);
}

}  // namespace aegis::token
