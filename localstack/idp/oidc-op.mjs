// A real OpenID provider (panva's oidc-provider) with a handful of users, for the tests and docker-compose.yml.
// It is not a model of how to run one: anybody who can reach it may log in as anybody.
//
//   PORT=9400 node oidc-op.mjs      issuer http://127.0.0.1:9400
//
// Settings (environment): PORT, HOST (address to listen on), ISSUER, AUDIENCE (`aud` of access tokens; client id of
// people), TOKEN_TTL (life of ID and access tokens, in seconds).
//
// Besides what OpenID Connect defines:
//   GET  /_test/token?user=alice&kind=id|access&client=…&nonce=…   a token from a whole login (code flow, PKCE)
//   POST /_test/sign {"header":{},"claims":{}}                     any claims, signed by the newest key
//   POST /_test/rotate     a new signing key comes first in the key set, the old ones stay; answers the new key's id
//   POST /_test/drop-old   leaves only the newest signing key in the set
import http from 'node:http';
import { createHash, createPrivateKey, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import Provider from 'oidc-provider';

const PORT = Number(process.env.PORT ?? 9400);
const HOST = process.env.HOST ?? '127.0.0.1';
const SELF = `http://127.0.0.1:${PORT}`;
const ISSUER = process.env.ISSUER ?? SELF;
const AUDIENCE = process.env.AUDIENCE ?? 'tracegate';
const TOKEN_TTL = Number(process.env.TOKEN_TTL ?? 3600);
const RESOURCE = 'urn:tracegate';
const CALLBACK = 'http://127.0.0.1/callback'; // of a native client: any port will do (RFC 8252, section 7.3)
const ALG = 'RS256';

const USERS = {
  alice: { groups: ['trace-owners'] },
  bob: { groups: ['sec-compliance'] },
  carol: { groups: ['support'] },
  dave: { groups: ['data-science'], namespace: 'model-B' },
  erin: { groups: [...Array.from({ length: 249 }, (_, i) => `team-${i}`), 'support'] }, // of too many teams
  frank: {}, // of none: no `groups` claim at all
};
const profile = (user) => ({ ...USERS[user], email: `${user}@example.test`, preferred_username: user });

const CLIENTS = [
  // People: `tracegate login` and the console.
  { client_id: AUDIENCE, token_endpoint_auth_method: 'none', application_type: 'native', response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    redirect_uris: [CALLBACK, 'http://127.0.0.1/', 'http://127.0.0.1/-/callback', 'http://localhost/callback'] },
  // Another application of the same provider: its tokens are not for us.
  { client_id: 'wiki', token_endpoint_auth_method: 'none', application_type: 'native', response_types: ['code'],
    grant_types: ['authorization_code'], redirect_uris: [CALLBACK] },
  // A machine.
  { client_id: 'ci', client_secret: 'ci-secret-ci-secret-ci-secret-00', grant_types: ['client_credentials'],
    redirect_uris: [], response_types: [] },
];

const newKey = () => ({
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
  alg: ALG, use: 'sig', kid: randomUUID(),
});
let keys = [newKey()];

// One store and one cookie key for every provider that this process makes: logins outlive a change of signing keys.
const COOKIE_KEY = randomBytes(16).toString('hex');
const store = new Map();
class Adapter {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload) {
    store.set(this.key(id), payload);
    if (payload.uid) store.set(`uid:${payload.uid}`, id);
    if (payload.userCode) store.set(`user-code:${payload.userCode}`, id);
  }
  async find(id) { return store.get(this.key(id)); }
  async findByUid(uid) { return store.get(this.key(store.get(`uid:${uid}`))); }
  async findByUserCode(code) { return store.get(this.key(store.get(`user-code:${code}`))); }
  async consume(id) { const payload = store.get(this.key(id)); if (payload) payload.consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { store.delete(this.key(id)); }
  async revokeByGrantId(grant) { for (const [key, payload] of store) if (payload?.grantId === grant) store.delete(key); }
}

function newProvider() {
  const provider = new Provider(ISSUER, {
    adapter: Adapter,
    clients: CLIENTS,
    jwks: { keys },
    cookies: { keys: [COOKIE_KEY] },
    claims: { openid: ['sub', 'groups', 'namespace'], email: ['email'], profile: ['preferred_username'] },
    conformIdTokenClaims: false, // the claims of the scopes stand in the ID token too
    scopes: ['openid', 'offline_access', 'email', 'profile', 's3'],
    ttl: { AccessToken: TOKEN_TTL, ClientCredentials: TOKEN_TTL, IdToken: TOKEN_TTL, DeviceCode: 600,
      Interaction: 600, Session: 3600, Grant: 3600, RefreshToken: 3600 },
    pkce: { required: () => true },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: async (_ctx, id) => USERS[id] && { accountId: id, claims: async () => ({ sub: id, ...profile(id) }) },
    extraTokenClaims: async (_ctx, token) => (token.accountId ? profile(token.accountId) : { groups: [`svc-${token.clientId}`] }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      resourceIndicators: { // the only way to access tokens that are JWTs
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 's3', audience: AUDIENCE, accessTokenFormat: 'jwt', jwt: { sign: { alg: ALG } } }),
      },
    },
  });
  provider.on('server_error', (_ctx, error) => console.error('server error', error));
  return { provider, callback: provider.callback() };
}
let op = newProvider();

/**
 * Answers the login page by `?user=`, by the request's login_hint, or by asking; and the question for consent by
 * `?allow`, or by yes where there was a hint, or by asking. `?cancel` refuses either.
 */
async function interaction(req, res, url) {
  const { prompt, params, session } = await op.provider.interactionDetails(req, res);
  if (url.searchParams.has('cancel')) {
    const refusal = { error: 'access_denied', error_description: 'the person said no' };
    return op.provider.interactionFinished(req, res, refusal, { mergeWithLastSubmission: false });
  }
  if (prompt.name === 'login') {
    const user = url.searchParams.get('user') ?? params.login_hint;
    if (user === undefined) return page(res, 'Log in as', Object.keys(USERS).map((name) => [name, `${url.pathname}?user=${name}`]), url.pathname);
    if (!USERS[user]) return answer(res, 403, 'no such user');
    return op.provider.interactionFinished(req, res, { login: { accountId: user } }, { mergeWithLastSubmission: false });
  }
  if (params.login_hint === undefined && !url.searchParams.has('allow')) {
    return page(res, `Let ${params.client_id} know who ${session.accountId} is?`, [['allow', `${url.pathname}?allow`]], url.pathname);
  }
  const grant = new op.provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  grant.addResourceScope(params.resource ?? RESOURCE, 's3');
  const consent = { grantId: await grant.save() };
  return op.provider.interactionFinished(req, res, { consent }, { mergeWithLastSubmission: true });
}

function page(res, heading, answers, path) {
  const links = [...answers, ['cancel', `${path}?cancel`]].map(([text, to]) => `<li><a href="${to}">${text}</a></li>`);
  res.setHeader('content-type', 'text/html; charset=utf-8');
  res.end(`<!doctype html><html lang="en"><title>Log in</title><h1>${heading}</h1><ul>${links.join('')}</ul></html>`);
}

/** A whole login over HTTP, as a browser and a native client would do it. */
async function login(user, client, nonce) {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: client, response_type: 'code', redirect_uri: CALLBACK, scope: 'openid email profile s3', login_hint: user,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
    ...(nonce ? { nonce } : {}),
  });
  const cookies = new Map();
  let next = `${SELF}/auth?${query}`;
  while (!next.startsWith(CALLBACK)) {
    const header = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const reply = await fetch(next, { redirect: 'manual', headers: { cookie: header } });
    for (const line of reply.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    const location = reply.headers.get('location');
    if (!location) throw new Error(`login of ${user} stopped at ${reply.status}: ${await reply.text()}`);
    const to = new URL(location, next);
    next = location.startsWith(CALLBACK) ? location : `${SELF}${to.pathname}${to.search}`;
  }
  const code = new URL(next).searchParams.get('code');
  if (!code) throw new Error(`login of ${user} gave no code: ${next}`);
  const body = new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, client_id: client, code_verifier: verifier });
  const reply = await fetch(`${SELF}/token`, { method: 'POST', body });
  if (!reply.ok) throw new Error(`no token for ${user}: ${await reply.text()}`);
  return reply.json();
}

async function sign(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const { header = {}, claims = {} } = JSON.parse(Buffer.concat(chunks).toString());
  const key = createPrivateKey({ key: keys[0], format: 'jwk' });
  return new SignJWT(claims).setProtectedHeader({ alg: ALG, kid: keys[0].kid, ...header }).sign(key);
}

const answer = (res, status, text) => { res.statusCode = status; res.setHeader('content-type', 'text/plain'); res.end(text); };

async function route(req, res) {
  const url = new URL(req.url, ISSUER);
  const asked = (name) => url.searchParams.get(name) ?? undefined;
  switch (`${req.method} ${url.pathname}`) {
    case 'GET /_test/token': {
      if (!USERS[asked('user')]) return answer(res, 404, 'no such user');
      const tokens = await login(asked('user'), asked('client') ?? AUDIENCE, asked('nonce'));
      return answer(res, 200, asked('kind') === 'access' ? tokens.access_token : tokens.id_token);
    }
    case 'POST /_test/sign': return answer(res, 200, await sign(req));
    case 'POST /_test/rotate': keys = [newKey(), ...keys]; op = newProvider(); return answer(res, 200, keys[0].kid);
    case 'POST /_test/drop-old': keys = [keys[0]]; op = newProvider(); return answer(res, 200, keys[0].kid);
    default: return url.pathname.startsWith('/interaction/') ? interaction(req, res, url) : op.callback(req, res);
  }
}

http.createServer((req, res) => route(req, res).catch((error) => {
  console.error(error);
  if (res.headersSent) res.end(); else answer(res, 500, String(error));
})).listen(PORT, HOST, () => console.log(`issuer ${ISSUER}`));
process.on('SIGTERM', () => process.exit(0));
