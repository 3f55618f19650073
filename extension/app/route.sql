-- The application's routes. Registration is recorded; the gateway picks changes up by itself.

SELECT aegis.register_route(method => r.method, path => r.path, handler => r.handler, minimum_rank => r.rank::smallint, summary => r.summary)
  FROM (VALUES
    ('GET',    '/api/organisation',          'aegis_app.get_organisation(aegis.request)'::regprocedure, 1, 'The organisation of the caller'),
    ('GET',    '/api/dashboard',             'aegis_app.get_dashboard(aegis.request)',                  1, 'Counts, sums and the newest invoices'),
    ('GET',    '/api/teams',                 'aegis_app.list_teams(aegis.request)',                     1, 'Teams the caller sees'),
    ('POST',   '/api/teams',                 'aegis_app.create_team(aegis.request)',                    4, 'Create a team'),
    ('GET',    '/api/users',                 'aegis_app.list_users(aegis.request)',                     1, 'Users the caller sees'),
    ('POST',   '/api/users',                 'aegis_app.create_user(aegis.request)',                    2, 'Create a user'),
    ('PATCH',  '/api/users/{id}',            'aegis_app.change_user(aegis.request)',                    3, 'Change a user''s rank or team'),
    ('DELETE', '/api/users/{id}',            'aegis_app.deactivate_user(aegis.request)',                3, 'Deactivate a user'),
    ('GET',    '/api/customers',             'aegis_app.list_customers(aegis.request)',                 1, 'List customers, or find one by e-mail'),
    ('POST',   '/api/customers',             'aegis_app.create_customer(aegis.request)',                1, 'Create a customer'),
    ('GET',    '/api/customers/{id}',        'aegis_app.get_customer(aegis.request)',                   1, 'One customer, personal data revealed'),
    ('PATCH',  '/api/customers/{id}',        'aegis_app.change_customer(aegis.request)',                1, 'Change a customer'),
    ('GET',    '/api/invoices',              'aegis_app.list_invoices(aegis.request)',                  1, 'List invoices'),
    ('POST',   '/api/invoices',              'aegis_app.create_invoice(aegis.request)',                 1, 'Draft an invoice'),
    ('GET',    '/api/invoices/{id}',         'aegis_app.get_invoice(aegis.request)',                    1, 'One invoice with its lines'),
    ('PATCH',  '/api/invoices/{id}',         'aegis_app.edit_invoice(aegis.request)',                   1, 'Edit a draft'),
    ('POST',   '/api/invoices/{id}/send',    'aegis_app.send_invoice(aegis.request)',                   1, 'Send: number and freeze'),
    ('POST',   '/api/invoices/{id}/cancel',  'aegis_app.cancel_invoice(aegis.request)',                 1, 'Cancel'),
    ('GET',    '/api/ledger/entries',        'aegis_app.list_entries(aegis.request)',                   4, 'The tenant''s ledger, newest first'),
    ('GET',    '/api/ledger/entries/{leaf}', 'aegis_app.get_entry(aegis.request)',                      4, 'One entry, with its canonical bytes'),
    ('GET',    '/api/ledger/seals',          'aegis_app.list_seals(aegis.request)',                     4, 'The chain of seals, newest first'),
    ('GET',    '/api/ledger/checkpoint',     'aegis_app.get_checkpoint(aegis.request)',                 4, 'The newest signed checkpoint'),
    ('GET',    '/api/ledger/inclusion',      'aegis_app.get_inclusion(aegis.request)',                  4, 'Proof that an entry is in the tenant''s log'),
    ('GET',    '/api/ledger/consistency',    'aegis_app.get_consistency(aegis.request)',                4, 'Proof that the tenant''s log only grew'),
    ('POST',   '/api/ledger/verifications',  'aegis_app.begin_verification(aegis.request)',             4, 'Begin to verify the tenant''s log'),
    ('GET',    '/api/ledger/verifications/{id}', 'aegis_app.get_verification(aegis.request)',           4, 'Progress and result of a verification'),
    ('GET',    '/api/ledger/bundle',         'aegis_app.get_bundle(aegis.request)',                     4, 'The tenant''s ledger as a file for aegis-verify')
  ) AS r(method, path, handler, rank, summary);
