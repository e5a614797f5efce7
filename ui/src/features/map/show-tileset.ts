import {
  Map as MapView,
  addProtocol,
  setWorkerUrl,
  type LayerSpecification,
  type SourceSpecification,
} from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url';
import { PMTiles, Protocol, TileType } from 'pmtiles';

const COLOURS = ['#0b5c7a', '#b3541e', '#1b6b3a', '#6b3a9b', '#8a5100', '#a02452'];
const SOURCE = 'tileset';

/** Draws a PMTiles archive into an element, fitted to its bounds. Resolves with a function that removes the map. */
export async function showTileset(container: HTMLElement, url: string): Promise<() => void> {
  setWorkerUrl(workerUrl);
  const protocol = new Protocol();
  addProtocol('pmtiles', protocol.tile);
  const archive = new PMTiles(url);
  protocol.add(archive);
  const [header, metadata] = await Promise.all([archive.getHeader(), archive.getMetadata()]);
  const isVector = header.tileType === TileType.Mvt;
  const source: SourceSpecification = isVector
    ? { type: 'vector', url: `pmtiles://${url}` }
    : { type: 'raster', url: `pmtiles://${url}`, tileSize: 256 };
  const map = new MapView({
    container,
    style: {
      version: 8,
      sources: { [SOURCE]: source },
      layers: isVector ? vectorLayers(metadata) : [{ id: 'tiles', type: 'raster', source: SOURCE }],
    },
    bounds: [header.minLon, header.minLat, header.maxLon, header.maxLat],
    maxZoom: header.maxZoom + 4,
    attributionControl: false,
  });
  return () => {
    map.remove();
  };
}

/** Styles every layer of the archive, with areas, lines and points in one colour per layer. */
function vectorLayers(metadata: unknown): LayerSpecification[] {
  const layers = (metadata as { vector_layers?: { id: string }[] } | undefined)?.vector_layers ?? [];
  return layers.flatMap(({ id }, index): LayerSpecification[] => {
    const colour = COLOURS[index % COLOURS.length]!;
    const common = { 'source': SOURCE, 'source-layer': id };
    return [
      {
        ...common,
        id: `${id}/areas`,
        type: 'fill',
        filter: ['==', ['geometry-type'], 'Polygon'],
        paint: { 'fill-color': colour, 'fill-opacity': 0.3 },
      },
      {
        ...common,
        id: `${id}/lines`,
        type: 'line',
        filter: ['!=', ['geometry-type'], 'Point'],
        paint: { 'line-color': colour },
      },
      {
        ...common,
        id: `${id}/points`,
        type: 'circle',
        filter: ['==', ['geometry-type'], 'Point'],
        paint: { 'circle-color': colour, 'circle-radius': 4 },
      },
    ];
  });
}
