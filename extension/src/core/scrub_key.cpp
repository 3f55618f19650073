// SPDX-License-Identifier: Apache-2.0
#include "core/scrub_key.hpp"

#include <algorithm>
#include <bitset>
#include <unordered_map>

namespace aegis::core {

namespace {

struct Row {
    KeyClass kind;
    bool whole;       // the whole name, not the end of a longer one
    bool needs_card;  // means this only in an object that is about a card
    std::string_view names;
};

constexpr Row kRows[] = {
    {KeyClass::number, false, false,
     "primaryaccountnumber cardnumber cardno cardnum ccnumber ccnum ccno creditcardnumber "
     "creditcardno debitcardnumber encryptedcardnumber encryptedpan xcardnum fundingpan dpan "
     "devicepan fpan rawpan fullpan"},
    {KeyClass::number, true, false, "pan"},
    {KeyClass::number, true, true,
     "number acctnum accountnumber bin iin cardbin cardiin fingerprint networktoken"},
    {KeyClass::number, false, false, "cardbin issuerbin cardiin networktokennumber"},
    {KeyClass::code, false, false,
     "cvv cvv2 cvc cvc2 cvn cvn2 cve cvp2 cvd cvdvalue cav2 ccv ccvv cardcode xcardcode "
     "cardsecuritycode encryptedsecuritycode cardverificationvalue cardverificationcode "
     "cardverificationnumber icvv dcvv cvvnumber cvcnumber cvvcode cvccode cvvvalue cvcvalue "
     "cavv tavv cryptogram"},
    {KeyClass::code, true, false, "csc cav vcode securitycode"},
    {KeyClass::code, true, true, "cid verificationvalue verificationcode"},
    {KeyClass::expiry, false, false,
     "expdate expirydate expirymonth expiryyear expmonth expyear expirationdate expirationmonth "
     "expirationyear cardexpiry cardexpiration cardexp xexpdate validthru encryptedexpirymonth "
     "encryptedexpiryyear encryptedexpirydate ccexp ccexpiry"},
    {KeyClass::expiry, true, false, "expiry"},
    {KeyClass::expiry, true, true, "exp expires expiration validto validuntil"},
    {KeyClass::track, false, false,
     "track1 track2 track3 track1data track2data track3data trackdata track2equivalentdata "
     "track1equivalentdata magstripe magstripedata magdata magneticstripe swipedata "
     "encryptedtrack encryptedtrack1 encryptedtrack2 encryptedtrackdata emvdata iccdata tlvdata "
     "chipdata arqc keyserialnumber"},
    {KeyClass::track, true, false, "track msr swipe emv icc tlv ksn dukpt"},
    {KeyClass::pin, false, false, "pinblock encryptedpin pindata pinvalue cardpin"},
    {KeyClass::pin, true, false, "pin pvv"},
    {KeyClass::pin, true, true, "servicecode"},
    {KeyClass::holder, false, false,
     "cardholdername cardholder nameoncard cardname ccname cardholderfirstname "
     "cardholderlastname"},
    {KeyClass::holder, true, true, "name holder holdername"}};

struct Entry {
    KeyRule rule;
    bool whole;
    KeyRule as_end;  // of a longer name, when the same name is in two rows
};

struct Table {
    std::unordered_map<std::string_view, Entry> names;
    std::bitset<36 * 36> ends;  // the last two characters: most names are told by them
};

// 0 to 35 for letters of either case and digits; -1 for others.
int rank(char c) {
    if (c >= 'a' && c <= 'z') return c - 'a';
    if (c >= 'A' && c <= 'Z') return c - 'A';
    return c >= '0' && c <= '9' ? c - '0' + 26 : -1;
}

// Of the last two letters or digits; -1 when there are fewer.
int end_rank(std::string_view name) {
    int last = -1;
    for (size_t at = name.size(); at > 0; --at) {
        const int now = rank(name[at - 1]);
        if (now >= 0 && last >= 0) return now * 36 + last;
        if (now >= 0) last = now;
    }
    return -1;
}

Table make_table() {
    Table table;
    for (const Row &row : kRows) {
        std::string_view rest = row.names;
        while (!rest.empty()) {
            const size_t size = std::min(rest.find(' '), rest.size());
            const KeyRule rule = {row.kind, row.needs_card};
            auto [at, fresh] =
                table.names.emplace(rest.substr(0, size), Entry{rule, row.whole, {}});
            table.ends.set(static_cast<size_t>(end_rank(rest.substr(0, size))));
            if (!row.whole) at->second.as_end = rule;
            if (!fresh && !row.needs_card) at->second.rule = rule;
            rest.remove_prefix(std::min(size + 1, rest.size()));
        }
    }
    return table;
}

const Table &table() {
    static const Table made = make_table();
    return made;
}

constexpr size_t kLongestKnown = 24;

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_one_of(std::string_view word, std::string_view words) {
    for (size_t at = 0; at < words.size();) {
        const size_t end = std::min(words.find(' ', at), words.size());
        if (words.substr(at, end - at) == word) return true;
        at = end + 1;
    }
    return false;
}

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

Name normalised_name(std::string_view name) noexcept {
    Name made;
    made.size = 0;
    made.starts = 0;
    bool fresh = true, lower_before = false;
    for (char c : name) {
        if (!is_letter_or_digit(c)) {
            fresh = true;
            continue;
        }
        if (made.size == sizeof made.text) {
            made.size = 0;
            return made;
        }
        const bool upper = c >= 'A' && c <= 'Z';
        if (fresh || (upper && lower_before)) made.starts |= uint64_t{1} << made.size;
        made.text[made.size++] = upper ? static_cast<char>(c + ('a' - 'A')) : c;
        fresh = false;
        lower_before = !upper;
    }
    return made;
}

KeyRule key_rule(std::string_view name) {
    const Table &known = table();
    const int end = end_rank(name);
    if (end < 0 || !known.ends.test(static_cast<size_t>(end))) return {};
    const Name made = normalised_name(name);
    const std::string_view whole(made.text, made.size);
    for (size_t at = 0; at + 3 <= whole.size(); ++at) {
        if (!(made.starts >> at & 1) || whole.size() - at > kLongestKnown) continue;
        const auto found = known.names.find(whole.substr(at));
        if (found == known.names.end()) continue;
        const Entry &entry = found->second;
        if (at == 0) return entry.rule;
        if (entry.as_end.kind != KeyClass::none) return entry.as_end;
    }
    return {};
}

bool names_a_card(std::string_view name) {
    const Name made = normalised_name(name);
    const std::string_view whole(made.text, made.size);
    return ends_with(whole, "card") || is_one_of(whole,
                                                 "cardpresent cardtype cardbrand carddetails "
                                                 "interacpresent paymentcard cc unionpay");
}

bool is_card_brand(std::string_view name, std::string_view value) {
    const Name made = normalised_name(name);
    if (!is_one_of({made.text, made.size},
                   "brand type cardtype cardbrand network scheme paymentmethod accounttype"))
        return false;
    const Name brand = normalised_name(value);
    return is_one_of({brand.text, brand.size},
                     "visa mastercard mc amex americanexpress discover diners dinersclub jcb "
                     "unionpay cup maestro rupay mir troy elo hipercard uatp eftpos interac");
}

bool is_masked_number(std::string_view value) noexcept {
    size_t masked = 0, shown = 0;
    for (char c : value) {
        if (c == 'X' || c == 'x' || c == '*')
            masked += shown == 0 ? 1 : value.size();
        else if (c >= '0' && c <= '9')
            ++shown;
        else if (c != ' ' && c != '-')
            return false;
    }
    return masked >= 4 && masked < value.size() && shown <= 4;
}

bool is_reference(std::string_view name, std::string_view value) {
    const Name made = normalised_name(name);
    const std::string_view whole(made.text, made.size);
    // Adyen: sixteen characters, digits that begin with 8, or capital letters among them.
    if (ends_with(whole, "pspreference") || whole == "originalreference") {
        if (value.size() != 16) return false;
        bool letters = false;
        for (char c : value) {
            letters |= c >= 'A' && c <= 'Z';
            if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9')) return false;
        }
        return letters || value[0] == '8';
    }
    return false;
}

}  // namespace aegis::core
