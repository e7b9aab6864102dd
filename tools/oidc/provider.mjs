// An OpenID provider for tests: oidc-provider as it comes, with its own login pages. It listens on a free port, prints
// {"issuer"} and then obeys lines on its input: "rotate" exchanges its signing key, "hang" stops it from answering, "go"
// has it answer again. It ends with its input.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { Provider } from 'oidc-provider';

const { accounts, client } = JSON.parse(process.argv[2]);

// What the library has to say goes to standard error: the output is an answer to whoever runs this.
console.info = console.error;
const say = (line) => process.stdout.write(`${line}\n`);

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

function newProvider(issuer) {
  return new Provider(issuer, {
    clients: [{ ...client, grant_types: ['authorization_code'], response_types: ['code'] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    cookies: { keys: ['tests only'] },
    jwks: { keys: [newKey()] },
    pkce: { required: () => true },
    findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  });
}

let handle;
let hanging = false;
const server = createServer((request, response) => {
  if (!hanging) handle(request, response);
});
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  handle = newProvider(issuer).callback();
  say(JSON.stringify({ issuer }));
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      if (line === 'rotate') handle = newProvider(issuer).callback();
      hanging = line === 'hang';
      say('done');
    })
    .on('close', () => process.exit(0));
});
