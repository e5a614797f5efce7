// Peer: a minimal Fastify route that returns a small object.

import Fastify from 'fastify';

const app = Fastify({ logger: false });
app.get('/', async () => ({ ok: true }));
app.get('/artefacts/:id', async (request) => ({ id: (request.params as { id: string }).id }));
await app.listen({ port: Number(process.env['PORT']), host: '127.0.0.1' });
