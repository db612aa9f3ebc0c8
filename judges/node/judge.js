// Google's Node clients judge the embedded Google Cloud: Secret Manager over
// gRPC and over REST, Pub/Sub with pull and push, Logging. Usage:
//   node judge.js HOST:PORT
import assert from 'node:assert/strict';
import http from 'node:http';
import {createRequire} from 'node:module';
import {SecretManagerServiceClient} from '@google-cloud/secret-manager';
import {PubSub} from '@google-cloud/pubsub';
import {Logging} from '@google-cloud/logging';
import {OAuth2Client} from 'google-auth-library';

const require = createRequire(import.meta.url);
const {grpc} = require('google-gax');
const [host, port] = process.argv[2].split(':');
const project = 'local';
let passed = 0, failed = 0;

async function judge(name, work) {
  try {
    await work();
    passed++;
    console.log('ok  ', name);
  } catch (err) {
    failed++;
    console.log('FAIL', name, '\n', err);
  }
}

function overREST() {
  const authClient = new OAuth2Client();
  authClient.setCredentials({access_token: 'local-token', expiry_date: Date.now() + 3600e3});
  return new SecretManagerServiceClient({fallback: true, protocol: 'http', apiEndpoint: host, port: +port, projectId: project, authClient});
}

function overGRPC() {
  return new SecretManagerServiceClient({apiEndpoint: host, port: +port, projectId: project, sslCreds: grpc.credentials.createInsecure()});
}

async function secrets(transport, client) {
  const parent = `projects/${project}`, secretId = `node-${transport}`, name = `${parent}/secrets/${secretId}`;
  await judge(`${transport}: create, add, access`, async () => {
    await client.createSecret({parent, secretId, secret: {replication: {automatic: {}}}});
    for (const text of ['one', 'two']) await client.addSecretVersion({parent: name, payload: {data: Buffer.from(text)}});
    const [latest] = await client.accessSecretVersion({name: `${name}/versions/latest`});
    assert.equal(Buffer.from(latest.payload.data).toString(), 'two');
  });
  await judge(`${transport}: alias, etag`, async () => {
    const [before] = await client.getSecret({name});
    const change = {secret: {name, etag: before.etag, versionAliases: {current: 1}}, updateMask: {paths: ['version_aliases']}};
    await client.updateSecret(change);
    const [current] = await client.accessSecretVersion({name: `${name}/versions/current`});
    assert.equal(Buffer.from(current.payload.data).toString(), 'one');
    await assert.rejects(client.updateSecret(change), /etag|precondition/i);
  });
  await judge(`${transport}: disable, list`, async () => {
    await client.disableSecretVersion({name: `${name}/versions/1`});
    await assert.rejects(client.accessSecretVersion({name: `${name}/versions/1`}), /is in DISABLED state/);
    const [versions] = await client.listSecretVersions({parent: name});
    assert.deepEqual(versions.map(v => v.name.split('/').pop()), ['2', '1']);
  });
}

async function pubsub() {
  const client = new PubSub({projectId: project, apiEndpoint: process.argv[2]});
  const topic = client.topic('node-topic');
  await judge('pubsub: publish, streaming pull with attributes', async () => {
    await topic.create();
    const [sub] = await topic.createSubscription('node-pull');
    await topic.publishMessage({data: Buffer.from('pulled'), attributes: {a: 'b'}});
    const message = await new Promise((resolve, reject) => {
      sub.on('message', resolve).on('error', reject);
      setTimeout(() => reject(new Error('no message within 15 s')), 15e3).unref();
    });
    message.ack();
    assert.equal(message.data.toString(), 'pulled');
    assert.equal(message.attributes.a, 'b');
    await sub.close();
  });
  await judge('pubsub: push', async () => {
    let server;
    const body = new Promise((resolve, reject) => {
      server = http.createServer((req, res) => {
        let text = '';
        req.on('data', d => (text += d)).on('end', () => { res.writeHead(204).end(); resolve(JSON.parse(text)); });
      }).listen(0, '127.0.0.1');
      setTimeout(() => reject(new Error('no push within 15 s')), 15e3).unref();
    });
    await new Promise(resolve => server.once('listening', resolve));
    await topic.createSubscription('node-push', {pushConfig: {pushEndpoint: `http://127.0.0.1:${server.address().port}/`}});
    await topic.publishMessage({data: Buffer.from('pushed')});
    const got = await body;
    server.close();
    assert.equal(Buffer.from(got.message.data, 'base64').toString(), 'pushed');
    assert.equal(got.subscription, `projects/${project}/subscriptions/node-push`);
  });
  await client.close();
}

async function logging() {
  const client = new Logging({projectId: project, apiEndpoint: host, port: +port, sslCreds: grpc.credentials.createInsecure()});
  await judge('logging: write, list', async () => {
    const log = client.log('node-log');
    await log.write([log.entry({severity: 'WARNING', resource: {type: 'global'}}, {said: 'hello'}), log.entry({severity: 'DEBUG', resource: {type: 'global'}}, 'quiet')]);
    const [entries] = await client.getEntries({filter: `logName="projects/${project}/logs/node-log" AND severity>=WARNING`});
    assert.equal(entries.length, 1);
    assert.equal(entries[0].data.said, 'hello');
  });
}

await secrets('grpc', overGRPC());
await secrets('rest', overREST());
await pubsub();
await logging();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
