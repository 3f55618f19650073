# SPDX-License-Identifier: Apache-2.0
"""Vectors of anchor-v1: the note that is anchored, its name, and time stamps that OpenSSL's `openssl ts` made over it once, with
keys that were made for this and thrown away: an authority, its stamp for a request, another authority, and what it says when
it grants nothing. The certificates were valid for a day: a stamp is judged at its own time."""
import base64

import aegis_anchor as a
import generate_witness

AUTHORITY = b"""-----BEGIN CERTIFICATE-----
MIIDPzCCAiegAwIBAgIUe//ov5XTjprvWUPjTFhGsIUxiXgwDQYJKoZIhvcNAQEL
BQAwJzElMCMGA1UEAwwcUHVibGlzaGVkIHRlc3QgYXV0aG9yaXR5IG9uZTAeFw0y
NjExMjgxNjQ5NTZaFw0yNjExMjkxNjQ5NTZaMCcxJTAjBgNVBAMMHFB1Ymxpc2hl
ZCB0ZXN0IGF1dGhvcml0eSBvbmUwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEK
AoIBAQCyxIqXohiFMGpP6ugiFl/tFRiQjNvlZZMcj+IjZY3K4NeWR5yWbDImOWix
9o5JLizrW3bjsagwbFhtlqtxw2uOQQ4kfzazw33nf9SDf0/WWebrjzpfQqJsGc+s
rTM2wEHYRkwDzD1EqzVoX0IoPOVvml2/Ds1VWGIElRE2mN2+S06NYGbTQxXu6xAp
asIaEw0NvCkVhVDpghwbqeBZr/PU/xF6QxnNYvKUWlaPFBEsfS3wvjrLewz+4bVV
NQQa8TFqgZFihvKa/ppDyPmRlH5Fy/5Ka60dwW23YyrkxrwQ28ikepVZhoQCTom5
kmXvz5BTKL+FL4eyUv4W4ldV/+6tAgMBAAGjYzBhMB0GA1UdDgQWBBQqSBQdBzN6
8iyDfl/9vLS14MSBpDAfBgNVHSMEGDAWgBQqSBQdBzN68iyDfl/9vLS14MSBpDAP
BgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwICBDANBgkqhkiG9w0BAQsFAAOC
AQEAob6RxlMFBJ94GjAnDqxlgNIdvZgHMGAhO53EAwqTAKvI0cUP9TipWihhyGMY
4fzTYhT6YjgDt6h0ATDvF1O1OxVcnMmVh5W/arwd6QYwUkAEvLRFAsGb0uEjXMD5
EjXB0PgWgoWmRxrHwINDIUdPyY4XYxP1Fq0E345h96Id2HD2uJOBRhzKdapeGem5
3RfkUZv88J72d54/UF4/ImG2oEqZGF27avtcTY6pjHwQCXDUP4ChYbWC9JvxuDgR
70DDdgbbwUAM2opU4hmPtwIWA+U9Bp9FVPNRN7i6kf+vgBQ2DewwwErLCz17VKFT
Tp8esOdGXyh1OPR1gXTn3st3yg==
-----END CERTIFICATE-----
"""
OTHER_AUTHORITY = b"""-----BEGIN CERTIFICATE-----
MIIDPzCCAiegAwIBAgIUcmo5SgE8d9PuMArY8TSXWYBHROUwDQYJKoZIhvcNAQEL
BQAwJzElMCMGA1UEAwwcUHVibGlzaGVkIHRlc3QgYXV0aG9yaXR5IHR3bzAeFw0y
NjExMjgxNjQ5NTdaFw0yNjExMjkxNjQ5NTdaMCcxJTAjBgNVBAMMHFB1Ymxpc2hl
ZCB0ZXN0IGF1dGhvcml0eSB0d28wggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEK
AoIBAQDfy5IppkrkI+043/StcTmOq8OSfnXqgL6x+IgqtW0Q57fgdAGBvyIcp1yh
ShvIv5uU7xzW1gBRvoGmsf2FvB4b7gmOen3MvdGGXUfy0mVsdMlCYZmX9LQbo6X5
N3LIglkG8/X4XrjPI6IQ6H58pGKM6/eVwpfNcQpJ3VOT/FJxCa7knJrk17Hnts+k
ZcT/2KmSvWWPU7JidZv8B+J53EhiTR1ahN0/wdL2Zyk7eRgrgaz2ufPZUqKrxS9b
pWU1jsrQRx3eWyvlTRVZr0kKsFMmyUWs8YLthMV8Z4cNowISais0LpxgT51D0fPr
MMELvI1v5yvUs00SPKFHueDS6NPFAgMBAAGjYzBhMB0GA1UdDgQWBBTBQ/uRw3/L
Fzb5cM7cXAgFpYST7TAfBgNVHSMEGDAWgBTBQ/uRw3/LFzb5cM7cXAgFpYST7TAP
BgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwICBDANBgkqhkiG9w0BAQsFAAOC
AQEAGGX25z5QxQ58Bo0FKAEH2mBgfewwbuayAlhfB3mAuYnM/1mjLma+2pDc9eJd
KRjwi1nbM3ftBfWgPhnIGbB6s1wNI6xfJ5KCc+2B0gGGRc2LfKvFuPrKijxcYAOu
DQMTWMUPmG7HY9lkEF2ka3oTcPedLRiLKzFkmPlHOFkRLs8w7EKHeCOQUgm/yXBJ
K+YP1Zz/eb2Y9i92BPjsNedYNZlSGQqhBD4mH1qLwH0ZQSwivS5kgZUoMa+9WsUV
iGbHfUofGdgcq0eVQZvUeOxd3w3YSrWeGrm8tCE2MR3WgjtsmX46/oK0C1uMkBUm
Dmbu123i4wVEgU+GW9gS5BvFwg==
-----END CERTIFICATE-----
"""
REQUEST = base64.b64decode(
    "MEQCAQEwMTANBglghkgBZQMEAgEFAAQgUxtOZB+Vrxypn2o32OhXJV3k4LCw0XCr+2eCr2SncZQCCQD164S2DRgUJAEB/w==")
OTHER_REQUEST = base64.b64decode(
    "MEMCAQEwMTANBglghkgBZQMEAgEFAAQgUxtOZB+Vrxypn2o32OhXJV3k4LCw0XCr+2eCr2SncZQCCE6zoGPBt3uhAQH/")
RESPONSE = base64.b64decode(
    "MIIGDzADAgEAMIIGBgYJKoZIhvcNAQcCoIIF9zCCBfMCAQMxDzANBglghkgBZQMEAgEFADB4BgsqhkiG9w0BCRABBKBpBGcwZQIBAQYJKwYBBAGGjR8BMDEw"
    "DQYJYIZIAWUDBAIBBQAEIFMbTmQfla8cqZ9qN9joVyVd5OCwsNFwq/tngq9kp3GUAgECGA8yMDI2MTEyODE2NDk1N1owAwIBAQIJAPXrhLYNGBQkoIIDTDCC"
    "A0gwggIwoAMCAQICFEnRIs/GTNZvVRHFGK/x5u7p5bcSMA0GCSqGSIb3DQEBCwUAMCcxJTAjBgNVBAMMHFB1Ymxpc2hlZCB0ZXN0IGF1dGhvcml0eSBvbmUw"
    "HhcNMjYxMTI4MTY0OTU2WhcNMjYxMTI5MTY0OTU2WjApMScwJQYDVQQDDB5QdWJsaXNoZWQgdGVzdCB0aW1lIHN0YW1wcyBvbmUwggEiMA0GCSqGSIb3DQEB"
    "AQUAA4IBDwAwggEKAoIBAQDHtAMXI5Q7qHvC1BgdVurJrqYrvBd+6ne+ddsGVr8qEkJTUGjZWgbFs/qi81wu5BZJajqB9lzGZLs32LYBc9ayNTa8haPxIgrO"
    "037ZyS0ETNU9brOHhPhPuknxoGbRDmSbp/9vOnAqz6QdNatrAofokzrr+4yxaSQnh52XQgfex4ABAVzIOrr2gF1jC16ym1is4nlEpgBUN6CKA2qqVfe/u0Vp"
    "D6RkLhEZLOjI8uYUk3tbvoCM2Wn/gho8loc6M1rfufQ3LtUjYIJgXzVwaE5L/hxB9VCrdNfvVyKzB5vJYmQmy8x4XTMXLk7nJpX6aUPDknhTo/0G5NIXoTey"
    "T24vAgMBAAGjajBoMA4GA1UdDwEB/wQEAwIHgDAWBgNVHSUBAf8EDDAKBggrBgEFBQcDCDAdBgNVHQ4EFgQUCUyU1NL6dz1Hk32KRFE73ZBAIO4wHwYDVR0j"
    "BBgwFoAUKkgUHQczevIsg35f/by0teDEgaQwDQYJKoZIhvcNAQELBQADggEBABv3Q8/C8gaY32rUbLuQ1oIOX/QPW15+7HOXcmwQl8HrMgQTDelCOWaK2C1N"
    "U7271io/IXfOsBd45FxJG2cmVD2WaUWHhv+5Ai3Y9uXP1WVpqS5IUdHuz8YmLjQgPOslv/SNZiqxjemo9fSyVIRl9E84Oo7kIAfaWIWhEbaV92WZVes1/AIY"
    "K3fq1nMzpC4aaijWB2y6ZXhBqpnx4tB1zU9QjRVFZANZmzLPrgk3xhO5HwOXYgRi/ty3DCCL13DARn/W7e9qoz5ldpddc/xwKa42qxaWux+OUgxNuwruc4tT"
    "Ccw/aPr3hozZuTlMWAhAWFkg1SHQayLNSM2uVISc5cgxggIRMIICDQIBATA/MCcxJTAjBgNVBAMMHFB1Ymxpc2hlZCB0ZXN0IGF1dGhvcml0eSBvbmUCFEnR"
    "Is/GTNZvVRHFGK/x5u7p5bcSMA0GCWCGSAFlAwQCAQUAoIGkMBoGCSqGSIb3DQEJAzENBgsqhkiG9w0BCRABBDAcBgkqhkiG9w0BCQUxDxcNMjYxMTI4MTY0"
    "OTU3WjAvBgkqhkiG9w0BCQQxIgQgNVT+0m/+LMpbxx1HGLshHYXmxyOfX/s/ioHe5+SwoawwNwYLKoZIhvcNAQkQAi8xKDAmMCQwIgQgiPigMMDwe0hDU4SI"
    "2aaXRlkNF88M7yeW7gqeyB1GGbYwDQYJKoZIhvcNAQEBBQAEggEADkKWpPEwxkCy8Arydl89pI+3GMFN5CHxlGL926oWu3haql3pE209v4RYfDF2kaAz7ewW"
    "1c041RoQm20EzWuGBYasWvnwpjuafrcseiciOEbGciI5dG5DYsI3fuWDx+ZWApJevSrKFS1jGB/557Ol6sMUFXPSjLSxkUyf4+wlqqQyS4CSPIZaVgaEWE/x"
    "zRMc7c83D/55MKgixDXTlJWNduTZsn/p96mwICI20n7bW8ieQo0IhW2o8rEG9OLkst+Ti62/FCgX/j6y0EQuemcqjQlrVqQNhH8gM4ajXN68/9xUQPy+8aMB"
    "+U2Ck+jAbHwcp0ksHMGA7VIe0J6+jHUdqw==")
REFUSAL = base64.b64decode(
    "MDcwNQIBAjAsDCpNZXNzYWdlIGRpZ2VzdCBhbGdvcml0aG0gaXMgbm90IHN1cHBvcnRlZC4DAgeA")


def anchor_v1():
    made = generate_witness.cosignature_v1()
    note = made["note"].encode()
    read = a.open_stamp(RESPONSE, note, AUTHORITY)
    flipped = bytearray(RESPONSE)
    flipped[-1] ^= 1
    stamped = RESPONSE.index(a.digest_of(note)) + 3
    other = bytearray(RESPONSE)
    other[stamped] ^= 1
    refused = [("another note", RESPONSE, b"x" + note, AUTHORITY), ("another authority", RESPONSE, note, OTHER_AUTHORITY),
               ("nothing granted", REFUSAL, note, AUTHORITY), ("a byte more", RESPONSE + b"\0", note, AUTHORITY),
               ("a byte less", RESPONSE[:-1], note, AUTHORITY), ("nothing", b"", note, AUTHORITY),
               ("a signature that does not verify", bytes(flipped), note, AUTHORITY),
               ("something else put in its place", bytes(other), note, AUTHORITY), ("no authority", RESPONSE, note, b"")]
    return {"log_vkey": made["log_vkey"], "cosigned": made["cosigned"], "note": made["note"], "name": a.anchor_name(note),
            "digest": a.digest_of(note), "authority": AUTHORITY, "other_authority": OTHER_AUTHORITY, "request": REQUEST,
            "other_request": OTHER_REQUEST, "response": RESPONSE, "seconds": read["seconds"], "serial": read["serial"],
            "refused": [{"name": name, "response": response, "note": about, "authority": authority}
                        for name, response, about, authority in refused]}
