"""Bodies shaped as providers send them, with everything in them that must not be stored. `gone` must
not be in what is left; `kept` must be, to the byte."""


def stripe(n):
    card = {"brand": "visa", "last4": n[-4:], "exp_month": 11, "exp_year": 2031, "number": n, "cvc": "737",
            "checks": {"cvc_check": "pass"}, "funding": "credit", "name": "Jenny Rosen"}
    body = {"id": "evt_1NG8Du2eZvKYlo2CUI79vXWy", "object": "event", "type": "charge.succeeded", "created": 1686089970,
            "data": {"object": {"id": "ch_3NG8Du2eZvKYlo2C1Kv4Oj8w", "amount": 2000, "currency": "usd",
                                "payment_intent": "pi_3NG8Du2eZvKYlo2C1FKiMyZ5",
                                "payment_method_details": {"card": card, "type": "card"}}}}
    return body, [n, "737", "Jenny Rosen", "2031"], [
        "evt_1NG8Du2eZvKYlo2CUI79vXWy", "ch_3NG8Du2eZvKYlo2C1Kv4Oj8w", "pi_3NG8Du2eZvKYlo2C1FKiMyZ5", '"pass"', "1686089970",
        '"visa"', f'"{n[-4:]}"', "2000"]


def authorize_net(n):
    body = {"notificationId": "d0e8e7fe-c3e7-4add-a480-27bc5ce28a18", "eventType": "net.authorize.payment.authcapture.created",
            "payload": {"responseCode": 1, "authCode": "572", "avsResponse": "Y", "authAmount": 45.5, "id": "60020981676",
                        "accountNumber": "XXXX" + n[-4:], "accountType": "Visa", "cvvResultCode": "P",
                        "payment": {"creditCard": {"cardNumber": n, "expirationDate": "2031-08", "cardCode": "8765"}}}}
    return body, [n, "2031-08", "8765"], ["d0e8e7fe-c3e7-4add-a480-27bc5ce28a18", "60020981676", "XXXX" + n[-4:], '"P"', '"572"', "45.5"]


def adyen(n):
    item = {"pspReference": "8815658961765250", "originalReference": "8815658961765338", "merchantReference": "INV-000017",
            "eventCode": "AUTHORISATION", "success": "true", "amount": {"value": 1130, "currency": "EUR"},
            "additionalData": {"expiryDate": "8/2033", "cardHolderName": "J. De Tester", "cardBin": n[:6], "cardSummary": n[-4:],
                               "card.number": n, "cvc": "6543", "hmacSignature": "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="}}
    body = {"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}
    return body, [n, "8/2033", "J. De Tester", "6543", f'"{n[:6]}"'], [
        "8815658961765250", "8815658961765338", "INV-000017", "1130", f'"{n[-4:]}"', "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="]


def paypal(n):
    body = {"id": "WH-58D329510W468432D-8HN650336L201105X", "event_type": "PAYMENT.CAPTURE.COMPLETED",
            "resource": {"id": "42311647XV020574X", "amount": {"value": "100.00", "currency_code": "USD"},
                         "payment_source": {"card": {"name": "Mary Major", "number": n, "expiry": "2034-05", "security_code": "9182",
                                                     "last_digits": n[-4:], "brand": "VISA"}}}}
    return body, [n, "2034-05", "9182", "Mary Major"], ["WH-58D329510W468432D-8HN650336L201105X", "42311647XV020574X", "100.00"]


def braintree(n):
    body = {"kind": "transaction_settled", "transaction": {"id": "5fwyd9qx", "creditCard": {
        "bin": n[:6], "cardholderName": "Ann Other", "expirationMonth": "09", "expirationYear": "2035", "number": n,
        "maskedNumber": "******" + n[-4:], "last4": n[-4:], "cvv": "4321", "cardType": "Visa"}}}
    return body, [n, "Ann Other", '"09"', "2035", "4321", f'"{n[:6]}"'], ["5fwyd9qx", "transaction_settled", f'"{n[-4:]}"', '"Visa"']


def spelled(n):
    """The names of fields in other spellings, and values that only a name tells."""
    body = {"Card-Number": "tok", "CARD_CODE": 123, "x_exp_date": "1229", "cvvNumber": "456", "track2EquivalentData": "x",
            "pin_block": "0412AC89ABCDEF67", "KSN": "FFFF9876543210E00008", "nested": {"customerCvv2": "789"},
            "cvvResultCode": "M", "company": "Panel Ltd", "expand": ["data"], "panel": 7}
    return body, ['"tok"', ": 123", '"1229"', '"456"', '"0412AC89ABCDEF67"', "FFFF9876543210E00008", '"789"'], [
        '"M"', "Panel Ltd", '["data"]', '"panel": 7']


SHAPES = [stripe, authorize_net, adyen, paypal, braintree, spelled]
